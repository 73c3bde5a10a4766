# Deploys a stack from a folder, as it was written there.
#
#   swarm-up.sh FOLDER STACK
#
# What the document no longer has is removed. Waiting is for others: this ends when the cluster knows what is wanted.
set -eu

cd "$1"
case ${PWD##*/} in
    data*)
        # Never two servers on one volume: what compose has started for the same services must have been stopped before.
        running=$(docker ps --filter "label=com.docker.compose.project=$2" --filter label=com.docker.compose.config-hash --format '{{.Names}}')
        if [ -n "$running" ]; then
            printf 'running outside of the cluster, on the same volumes: %s\n' "$running" >&2
            exit 1
        fi
        ;;
esac
docker stack deploy --prune --resolve-image never --compose-file stack.json "$2"
