# Starts the edge, or brings a running one to a new configuration.
#
#   edge-up.sh ROOT CONTAINER COMPOSE CONFIG MAP STATE     the last four are whole texts
#
# A change of published ports makes compose replace the container. A change of the configuration alone is loaded into
# the running one: HAProxy's new worker takes over the old one's sockets, and the old one ends when its requests have.
set -eu

root=$1 container=$2 compose=$3 config=$4 map=$5 state=$6

write() { printf '%s' "$2" >"$1.new" && chmod 0644 "$1.new" && mv "$1.new" "$1"; }

cd "$root/edge"
before=$(docker container inspect --format '{{.Id}} {{.State.Running}}' "$container" 2>/dev/null || true)
changed=no
[ -f etc/haproxy.cfg ] && printf '%s' "$config" | cmp -s - etc/haproxy.cfg || changed=yes
write etc/haproxy.cfg "$config"
write etc/live.map "$map"
write compose.yaml "$compose"
write state.json "$state"
docker compose --file compose.yaml up --detach --wait --wait-timeout 60 --remove-orphans || {
    docker compose --file compose.yaml logs --no-log-prefix --tail 20 >&2
    exit 1
}
after=$(docker container inspect --format '{{.Id}} {{.State.Running}}' "$container")
if [ "$changed" = yes ] && [ "$before" = "$after" ]; then
    docker kill --signal USR2 "$container" >/dev/null
fi
