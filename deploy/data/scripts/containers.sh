# Prints what compose projects run and keep: a line of JSON for each container.
#
#   containers.sh PROJECT...
set -eu

for project; do
    ids=$(docker ps --all --quiet --no-trunc --filter "label=com.docker.compose.project=$project" \
        --filter label=com.docker.compose.oneoff=False)
    if [ -n "$ids" ]; then
        # shellcheck disable=SC2086  # a list of ids
        docker container inspect --format '{"id":{{json .Id}},"running":{{json .State.Running}},"project":{{json (index .Config.Labels "com.docker.compose.project")}},"service":{{json (index .Config.Labels "com.docker.compose.service")}},"image":{{json .Image}},"replicated":{{json (index .Config.Labels "com.docker.swarm.service.name")}},"mounts":{{json .Mounts}}}' $ids
    fi
done
