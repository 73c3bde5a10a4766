# Removes everything of a project from a cluster: its stacks, its networks, and the label of the node with its data. Volumes stay.
#
#   swarm-leave.sh LABEL,LABEL REGISTRY PROJECT STACK... -- NETWORK...
set -eu

labels=$(printf '%s' "$1" | tr ',' ' ') registry=$2 project=$3
shift 3
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    if [ -n "$(docker service ls --quiet --filter "label=com.docker.stack.namespace=$1")" ]; then
        docker stack rm "$1" >/dev/null
    fi
    tries=120
    while [ -n "$(docker ps --quiet --filter "label=com.docker.stack.namespace=$1")" ] && [ "$tries" -gt 0 ]; do
        tries=$((tries - 1))
        sleep 0.5
    done
    for kind in config secret; do
        for name in $(docker "$kind" ls --quiet --filter "label=com.docker.stack.namespace=$1"); do
            docker "$kind" rm "$name" >/dev/null 2>&1 || true
        done
    done
    shift
done
[ $# -gt 0 ] && shift
for network; do
    tries=60
    # tasks on other nodes may take their time to end
    until ! docker network inspect "$network" >/dev/null 2>&1 || docker network rm "$network" >/dev/null 2>&1 || [ "$tries" -le 0 ]; do
        tries=$((tries - 1))
        sleep 0.5
    done
done
for label in $labels; do
    for node in $(docker node ls --quiet --filter "node.label=$label"); do
        docker node update --label-rm "$label" "$node" >/dev/null
    done
done
# what the edge of this node was given: on the way back to the cluster it would pass for newer than what is here
docker volume rm "$project-edge-state" >/dev/null 2>&1 || true
for image in $(docker image ls --format '{{.Repository}}:{{.Tag}}' --filter "reference=$registry/$project/*"); do
    docker image rm "$image" >/dev/null 2>&1 || true
done
