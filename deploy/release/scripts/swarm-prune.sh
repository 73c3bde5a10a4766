# Removes the configs and secrets of stacks that no service has. The cluster refuses to remove one that is in use.
#
#   swarm-prune.sh STACK...
set -eu

for stack in "$@"; do
    for kind in config secret; do
        for name in $(docker "$kind" ls --quiet --filter "label=com.docker.stack.namespace=$stack"); do
            docker "$kind" rm "$name" >/dev/null 2>&1 || true
        done
    done
done
