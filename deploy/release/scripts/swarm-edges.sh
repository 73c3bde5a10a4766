# Tells which state the controller of a cluster's edges has now, and which each edge has: lines of controller.bash.
#
#   swarm-edges.sh STACK        status 3: the controller does not run here
set -eu

controller=$(docker ps --quiet --filter "label=com.docker.swarm.service.name=$1_controller" --filter status=running | head -n 1)
if [ -z "$controller" ]; then exit 3; fi
docker exec "$controller" bash /etc/windlass/controller.bash told
