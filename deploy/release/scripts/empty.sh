# Takes a slot of the edge out of service and writes the state for the edge's next start.
#
#   empty.sh ROOT CONTAINER CONFIG STATE COMMANDS
set -eu

root=$1 container=$2 config=$3 state=$4 commands=$5

write() { printf '%s' "$2" >"$1.new" && chmod 0644 "$1.new" && mv "$1.new" "$1"; }

cd "$root"
write edge/etc/haproxy.cfg "$config"
write edge/state.json "$state"
if [ -n "$commands" ]; then
    printf '%s\n' "$commands" |
        docker exec -i "$container" bash -c 'exec 3<>/dev/tcp/127.0.0.1/9999; cat >&3; cat <&3' >/dev/null
fi
