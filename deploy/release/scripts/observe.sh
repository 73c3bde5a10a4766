# Prints what runs of a project: for each container its id, compose project, service, whether it runs, and its image's id.
#
#   observe.sh PROJECT
set -eu

docker ps --all --quiet --no-trunc --filter label=com.docker.compose.oneoff=False |
    xargs -r docker container inspect --format '{{.Id}}	{{index .Config.Labels "com.docker.compose.project"}}	{{index .Config.Labels "com.docker.compose.service"}}	{{.State.Running}}	{{.Image}}' |
    awk -F '\t' -v project="$1" '$2 == project || index($2, project "-") == 1'
