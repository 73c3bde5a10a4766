# Ends services of a cluster's stack and removes them, once none of their containers runs on any node.
#
#   swarm-end.sh STACK --all|SERVICE...
#
# Ends with another status than 0 while one may still run: nothing may then take its place.
set -eu

stack=$1
shift
if [ "${1:-}" = --all ]; then
    # shellcheck disable=SC2046  # a list of names
    set -- $(docker service ls --filter "label=com.docker.stack.namespace=$stack" --format '{{.Name}}')
else
    # shellcheck disable=SC2046
    set -- $(for name; do docker service inspect --format '{{.Spec.Name}}' "${stack}_$name" 2>/dev/null || true; done)
fi
# With nothing wanted of it a service keeps its tasks until their nodes have said that they ended; removed, it forgets them.
for service; do
    case $(docker service inspect --format '{{if .Spec.Mode.Global}}global{{end}}' "$service") in
        global) docker service update --detach --quiet --constraint-add node.id==none "$service" >/dev/null ;;
        *) docker service update --detach --quiet --replicas 0 "$service" >/dev/null ;;
    esac
done
for service; do
    tries=1200
    while left=$(docker service ps --no-trunc --format '{{.Node}}: {{.Name}} {{.CurrentState}}' "$service" |
        grep -E ' (New|Allocated|Pending|Assigned|Accepted|Preparing|Ready|Starting|Running) ') &&
        [ -n "$left" ]; do
        tries=$((tries - 1))
        if [ "$tries" -le 0 ]; then
            printf 'still there, so nothing took its place: %s\n' "$left" >&2
            exit 1
        fi
        sleep 0.25
    done
    # and by the word of this machine's own engine
    here="label=com.docker.swarm.service.name=$service"
    while [ -n "$(docker ps --quiet --filter "$here")" ]; do sleep 0.1; done
    docker service rm "$service" >/dev/null
    # a stopped container of the service, which the cluster removes in its own time, would pass for one of compose's
    for container in $(docker ps --all --quiet --filter "$here"); do docker rm --force "$container" >/dev/null 2>&1 || true; done
    tries=100
    while [ -n "$(docker ps --all --quiet --filter "$here")" ] && [ "$tries" -gt 0 ]; do
        tries=$((tries - 1))
        sleep 0.1
    done
done
