# Prints what the data services of a compose project mount here: service, type, volume or folder, target, with tabs. Reads only.
#
#   swarm-mounts.sh PROJECT
set -eu

# shellcheck disable=SC2016  # the engine's variables, not the shell's
docker ps --all --quiet --filter "label=com.docker.compose.project=$1" |
    xargs -r docker container inspect --format '{{$service := index .Config.Labels "com.docker.compose.service"}}{{range .Mounts}}{{printf "%s\t%s\t%s\t%s\n" $service .Type (or .Name .Source) .Destination}}{{end}}'
