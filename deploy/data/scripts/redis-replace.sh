# Puts a dump of Redis in the place of a server's data, and the data that was there back when that fails.
#
#   redis-replace.sh IMAGE CONTAINER SERVICE FOLDER APPENDS SOURCE:TARGET...      standard input: a dump
#
# SERVICE is empty, or what CONTAINER's service is called on a cluster: that starts another container in the place of one
# that is stopped, so the service is told to have none. FOLDER is where the server keeps its data; the last arguments are
# the volumes and folders that it has. APPENDS is "yes" where it keeps an append-only file, which is made anew from the dump:
# it is all such a server reads. The server is stopped for as long as it takes to rename files, and started again whatever
# comes of that, whether or not anybody still listens.
set -eu

image=$1 container=$2 service=$3 folder=$4 appends=$5
shift 5
limit_s=300

mounts=$#
while [ "$mounts" -gt 0 ]; do
    set -- "$@" --volume "$1"
    shift
    mounts=$((mounts - 1))
done
inside() {
    script=$1
    shift
    docker run --rm --interactive --network none --user 0:0 "$@" --entrypoint sh "$image" -euc "$script" replace "$folder" "$appends"
}
# tasks STATES: how many of the service's containers here are in one of them
tasks() {
    docker service ps --filter node=self --format '{{.CurrentState}}' "$service" | cut -d ' ' -f 1 | grep -c -x -i -E "$1" || true
}
scale() { docker service scale --detach "$service=$1" >/dev/null; }
stop() {
    if [ -z "$service" ]; then
        docker stop "$container" >/dev/null
        return
    fi
    scale 0 || return 1
    waited=0
    until [ "$(tasks 'new|pending|assigned|accepted|preparing|ready|starting|running')" = 0 ] &&
        [ -z "$(docker ps --quiet --filter "label=com.docker.swarm.service.name=$service")" ]; do
        waited=$((waited + 1))
        if [ "$waited" -gt "$limit_s" ]; then
            printf '%s does not stop\n' "$service" >&2
            return 1
        fi
        sleep 1
    done
}
start() {
    if [ -z "$service" ]; then
        docker start "$container" >/dev/null
        return
    fi
    scale "$wanted" || return 1
    waited=0
    until [ "$(tasks running)" -ge "$wanted" ]; do
        waited=$((waited + 1))
        if [ "$waited" -gt "$limit_s" ]; then return 1; fi
        sleep 1
    done
}
started() {
    start || {
        printf '%s does not start again: docker service ps says why, on a cluster\n' "${service:-$container}" >&2
        return 1
    }
}

if [ -n "$service" ]; then
    wanted=$(docker service inspect --format '{{if .Spec.Mode.Replicated}}{{.Spec.Mode.Replicated.Replicas}}{{end}}' "$service")
    if [ -z "$wanted" ]; then
        printf '%s runs on every node, and is not stopped on one alone: leave deploy.mode out\n' "$service" >&2
        exit 1
    fi
fi
trap 'exit 1' HUP INT TERM
# shellcheck disable=SC2016  # expanded by the shell in the container
forget() { inside 'rm -rf "$1/windlass-restored"' "$@" </dev/null || true; }
trap 'forget "$@"' EXIT
# shellcheck disable=SC2016  # expanded by the shell in the container
inside '
    cd "$1"
    rm -rf windlass-restored windlass-before
    mkdir windlass-restored
    cat >windlass-restored/dump.rdb
    if [ "$2" = yes ]; then
        redis-server --port 0 --unixsocket /tmp/r.sock --dir "$1/windlass-restored" --save "" --appendonly no --daemonize yes >/dev/null
        until [ "$(redis-cli -s /tmp/r.sock ping 2>/dev/null)" = PONG ]; do sleep 0.2; done
        redis-cli -s /tmp/r.sock config set appendonly yes >/dev/null
        while redis-cli -s /tmp/r.sock info persistence | grep -q "aof_rewrite_in_progress:1\|aof_rewrite_scheduled:1"; do sleep 0.2; done
        redis-cli -s /tmp/r.sock info persistence | grep -q "aof_last_bgrewrite_status:ok"
        redis-cli -s /tmp/r.sock shutdown nosave || true
        while [ -S /tmp/r.sock ] && redis-cli -s /tmp/r.sock ping >/dev/null 2>&1; do sleep 0.1; done
    fi
    chown -R "$(stat -c %u:%g .)" windlass-restored
' "$@"
trap 'started; forget "$@"' EXIT
stop || exit 1
# shellcheck disable=SC2016  # expanded by the shell in the container
inside '
    cd "$1"
    back() { rm -rf appendonlydir appendonly.aof dump.rdb; mv windlass-before/* .; rmdir windlass-before; }
    mkdir windlass-before
    for one in appendonlydir appendonly.aof dump.rdb; do
        if [ -e "$one" ]; then mv "$one" windlass-before/; fi
    done
    mv windlass-restored/* . || { back; exit 1; }
    rm -rf windlass-restored windlass-before
' "$@" </dev/null || exit 1
trap - EXIT
started
