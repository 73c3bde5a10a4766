# Lets the edge of compose go of its ports, when who hands out their state to the edges of a cluster runs.
#
#   swarm-edge-take.sh TIMEOUT_S CONTROLLER CONTAINER...      CONTROLLER: its name in the cluster
#
# The edge of this node is tried again every second until then.
set -eu

tries=$(($1 * 10)) controller=$2
shift 2
until [ -n "$(docker ps --quiet --filter "label=com.docker.swarm.service.name=$controller")" ] || [ "$tries" -le 0 ]; do
    tries=$((tries - 1))
    sleep 0.1
done
if [ $# -gt 0 ]; then docker stop --time 1 "$@" >/dev/null; fi
