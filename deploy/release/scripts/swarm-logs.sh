# Prints the last lines of services, one after the other, from all nodes that answer: the engine itself waits for those that
# are lost, minutes long, when it has long printed what the others say.
#
#   swarm-logs.sh SECONDS LINES SERVICE...
set -eu

seconds=$1
lines=$2
shift 2
failed=0
for service in "$@"; do
    status=0
    timeout "$seconds" docker service logs --tail "$lines" "$service" || status=$?
    if [ "$status" = 124 ]; then
        printf '%s: a node where it ran does not answer: its lines are missing\n' "$service" >&2
    elif [ "$status" != 0 ]; then
        failed=$status
    fi
done
exit "$failed"
