# Stops the containers that compose has made for data services, and sees that the engine does not start them again.
#
#   compose-rest.sh PROJECT
#
# Ends with another status than 0 while one of them still runs: nothing may then start on their volumes.
set -eu

# those that a cluster has started for the same services have no such hash
ours() { docker ps --no-trunc --quiet "$@" --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.config-hash; }

project=$1
ids=$(ours --all)
# shellcheck disable=SC2086  # a list of ids
if [ -n "$ids" ]; then
    docker stop $ids >/dev/null
    docker update --restart no $ids >/dev/null
fi
left=$(ours)
if [ -n "$left" ]; then
    printf 'still running, so nothing was started on its volumes: %s\n' "$left" >&2
    exit 1
fi
