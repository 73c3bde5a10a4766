# Removes the edge of a cluster, of which this node's lets go of its ports within a second, and what says that it is one.
#
#   swarm-edge-down.sh ROOT STACK
set -eu

docker stack rm "$2" >/dev/null 2>&1 || true
for container in $(docker ps --quiet --filter "label=com.docker.stack.namespace=$2"); do
    docker stop --time 1 "$container" >/dev/null 2>&1 || true
done
rm -rf "$1/edge/stack"
