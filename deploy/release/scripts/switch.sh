# Points the edge at a release: fills a slot, waits until every server in it answers, then changes the one entry of the map
# that every public port goes by. Runs to its end even when the client that started it is gone.
#
#   switch.sh ROOT CONTAINER SLOT CONFIG MAP STATE RELEASE FILL TIMEOUT_S [BACKEND/SERVER...]
#
# CONFIG, MAP and STATE are the whole texts for the edge's next start; FILL is one line of runtime commands. RELEASE becomes
# `current`; an empty one means that no release is live. Status 3: a
# server did not come up, nothing was switched.
set -eu

root=$1 container=$2 slot=$3 config=$4 map=$5 state=$6 release=$7 fill=$8 timeout_s=$9
shift 9

live_map=/usr/local/etc/haproxy/live.map
admin() { printf '%s\n' "$1" | docker exec -i "$container" bash -c 'exec 3<>/dev/tcp/127.0.0.1/9999; cat >&3; cat <&3'; }
write() { printf '%s' "$2" >"$1.new" && chmod 0644 "$1.new" && mv "$1.new" "$1"; }

if [ -n "$fill" ]; then
    refused=$(admin "$fill" | grep -v -e '^$' -e 'changed its FQDN' || true)
    [ -z "$refused" ] || printf 'edge: %s\n' "$refused" >&2
fi
tries=$((timeout_s * 5))
for server in "$@"; do
    # columns of "show servers state": 2 backend, 4 server, 6 operational state (2: up)
    until admin "show servers state ${server%/*}" | awk -v name="${server#*/}" '$4 == name && $6 == 2 { up = 1 } END { exit !up }'; do
        tries=$((tries - 1))
        if [ "$tries" -le 0 ]; then
            printf 'the edge cannot reach %s\n' "$server" >&2
            exit 3
        fi
        sleep 0.2
    done
done

cd "$root"
write edge/etc/haproxy.cfg "$config"
write edge/etc/live.map "$map"
write edge/state.json "$state"
admin "set map $live_map live $slot" >/dev/null
admin "show map $live_map" | grep -q " live $slot\$" || { printf 'the edge did not take the switch\n' >&2; exit 4; }
if [ -n "$release" ]; then
    ln -sfn "releases/$release" current.new
    mv -T current.new current
else
    rm -f current
fi
