# Shows the maintenance page on every HTTP port, or takes it away: on disk for the edge's next start, then in the running one.
#
#   maintenance.sh ROOT CONTAINER MAP COMMANDS NOTE     standard input: the page
#
# MAP is the text of maintenance.map; COMMANDS is one line for HAProxy's runtime API; NOTE says who, since when and why, and is
# empty to end it. Only a page that has changed since the edge last read it needs a reload. Without a CONTAINER it is a
# cluster's: its edges get the files from the controller. Status 3: the edge does not run; 4: it did not take it.
set -eu

root=$1 container=$2 map=$3 commands=$4 note=$5

cd "$root/edge"
cat >etc/maintenance.html.new
chmod 0644 etc/maintenance.html.new
reload=no
if ! cmp -s etc/maintenance.html.new etc/maintenance.html; then reload=yes; fi
mv etc/maintenance.html.new etc/maintenance.html
printf '%s' "$map" >etc/maintenance.map.new
chmod 0644 etc/maintenance.map.new
mv etc/maintenance.map.new etc/maintenance.map
if [ -n "$note" ]; then
    printf '%s' "$note" >maintenance.json.new
    mv maintenance.json.new maintenance.json
else
    rm -f maintenance.json
fi

if [ -z "$container" ]; then exit 0; fi
if [ "$(docker container inspect --format '{{.State.Running}}' "$container" 2>/dev/null)" != true ]; then exit 3; fi
if [ "$reload" = yes ]; then
    docker kill --signal USR2 "$container" >/dev/null
    exit 0
fi
# HAProxy answers a command that it carries out with an empty line
if printf '%s\n' "$commands" |
    docker exec -i "$container" bash -c 'exec 3<>/dev/tcp/127.0.0.1/9999; cat >&3; cat <&3' | grep . >&2; then
    exit 4
fi
