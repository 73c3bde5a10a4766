# Prints the last line that the receiver of a database's WAL has said, or what has become of it.
#
#   last-words.sh CONTAINER SERVICE       CONTAINER is the database's
set -eu

project=$(docker container inspect --format '{{index .Config.Labels "com.docker.compose.project"}}' "$1")
found=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$project" \
    --filter "label=com.docker.compose.service=$2-wal" | head -n 1)
if [ -z "$found" ]; then
    printf 'nothing receives it: %s-wal has no container\n' "$2"
elif [ "$(docker container inspect --format '{{.State.Running}}' "$found")" != true ]; then
    printf '%s-wal does not run\n' "$2"
else
    docker logs --tail 1 "$found" 2>&1
fi
