# Removes the edge that a failed first deploy has started.
#
#   edge-down.sh ROOT
set -eu

root=$1

cd "$root/edge"
if [ -f compose.yaml ]; then
    docker compose --file compose.yaml down --remove-orphans
fi
rm -rf stack
rm -f state.json compose.yaml etc/haproxy.cfg etc/live.map etc/maintenance.html
