# Brings the data services to the state that stage.sh left in data.next. Where nothing differs and all of them are well,
# nothing is touched: a tag that came to mean another image must not replace a database that is to be kept.
#
#   data-up.sh ROOT TIMEOUT_S PROJECT SERVICES [CONTAINER NETWORK ALIASES]...
#
# SERVICES: how many there are. Each CONTAINER of theirs is in a NETWORK besides from its start on, by ALIASES with commas between.
# Prints what came of it.
set -eu

root=$1 timeout_s=$2 project=$3 services=$4
shift 4

same() {
    for entry in data.next/*; do
        diff -rq "$entry" "data/${entry#data.next/}" >/dev/null 2>&1 || return 1
    done
}
well() {
    docker ps --filter "label=com.docker.compose.project=$project" --format '{{.Status}}' |
        awk -v wanted="$services" '/unhealthy|starting|Paused/ { bad++ } END { exit !(NR == wanted && !bad) }'
}

# Never two servers on one volume: where a cluster has the same services, they must have ended before.
theirs=$(docker ps --filter "label=com.docker.stack.namespace=$project" --format '{{.Names}}')
if [ "$(docker info --format '{{.Swarm.ControlAvailable}}' 2>/dev/null)" = true ]; then
    theirs="$theirs$(docker service ls --filter "label=com.docker.stack.namespace=$project" --format ' {{.Name}}')"
fi
if [ -n "$theirs" ]; then
    printf 'the cluster has these services, on the same volumes: %s\n' "$theirs" >&2
    exit 1
fi

cd "$root"
if [ -d data.next ] && same && well; then
    rm -rf data.next
    printf 'kept as they are\n'
    exit 0
fi
if [ -d data.next ]; then
    # files are laid over, not swapped: containers hold bind mounts of what is there
    rm -f data/state.json
    for entry in data.next/*; do
        [ "$entry" = data.next/state.json ] || cp -a "$entry" data/
    done
fi
cd data
if [ "$services" -gt 0 ]; then
    # made anew: those that a move has stopped were told not to start again
    if [ $# -gt 0 ]; then docker compose --ansi never --file compose.yaml up --no-start --force-recreate --remove-orphans >&2; fi
    while [ $# -ge 3 ]; do
        aliases=
        for alias in $(printf '%s' "$3" | tr ',' ' '); do aliases="$aliases --alias $alias"; done
        # shellcheck disable=SC2086  # a list of options; service names hold no spaces
        docker network connect $aliases "$2" "$1" 2>/dev/null || true
        shift 3
    done
    docker compose --ansi never --file compose.yaml up --detach --wait --wait-timeout "$timeout_s" --remove-orphans >&2
else
    docker compose --ansi never --file compose.yaml down --remove-orphans >&2
fi
if [ -d ../data.next ]; then
    # only now is it true: what runs is what the state says
    mv ../data.next/state.json state.json
    rm -rf ../data.next
fi
printf 'up\n'
