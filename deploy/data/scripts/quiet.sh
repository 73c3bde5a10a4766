# Keeps everybody but us from a PostgreSQL server for as long as we are there, and puts another one's data in its place.
#
#   quiet.sh PROJECT NAME SERVER LIVE KEPT FRESH IMAGE APPS PUT RUN...
#
# Stops the containers APPS, which use it, then SERVER itself, and starts it again as NAME by the command RUN: on its volumes
# and on no network. SERVER is a container, or "service:NAME" of a cluster, which would replace one that is stopped: so the
# service is scaled to nothing, and back. Prints "quiet" once it answers. Every line of standard input is a sign of life; "switch" stops NAME,
# copies the volume LIVE to KEPT and the volume FRESH to LIVE by the script PUT, and prints "switched"; "stand" ends it.
#
# When standard input ends before that, or gives no sign of life for 45 s, everything is made what it was: SERVER starts on
# its own data and APPS after it. Where SERVER has been replaced by then, the new one stays, and APPS start.
set -eu

trap '' HUP INT PIPE TERM  # whoever is interrupted closes our standard input, and waits for what is then done here
project=$1 name=$2 server=$3 live=$4 kept=$5 fresh=$6 image=$7 apps=$8 put=$9
shift 9

# the terminal's Ctrl-C is for whoever asked, not for what is being done here
apart() { if command -v setsid >/dev/null; then setsid -w "$@"; else "$@"; fi; }
put() { apart sh -euc "$put" cluster.sh put "$image" "$1" "$2" >&2; }
answers() { docker exec "$name" pg_isready --quiet --host 127.0.0.1 2>/dev/null; }

service=
case $server in service:*) service=${server#service:} ;; esac
told() { docker service inspect --format "$1" "$service"; }
running() { docker ps --quiet --filter "label=com.docker.swarm.service.name=$service"; }
update() { apart docker service update --detach --quiet "$@" "$service" >/dev/null; }
if [ -n "$service" ]; then replicas=$(told '{{.Spec.Mode.Replicated.Replicas}}'); fi
stop_server() {
    if [ -z "$service" ]; then
        apart docker stop --time 300 "$server" >/dev/null
        return
    fi
    # a label that no stack has: whoever replaces the service takes it away
    update --label-add "windlass.away=$name" --replicas 0 || return 1
    tries=0
    while [ -n "$(running)" ]; do
        tries=$((tries + 1))
        if [ "$tries" -ge 1200 ]; then
            printf 'the cluster does not stop %s\n' "$service" >&2
            return 1
        fi
        sleep 0.25
    done
}
start_server() {
    if [ -z "$service" ]; then
        apart docker start "$server" >/dev/null
    else
        update --label-rm windlass.away --replicas "$replicas"
    fi
}
is_there() {
    if [ -z "$service" ]; then
        docker container inspect "$server" >/dev/null 2>&1
    else
        [ "$(told '{{index .Spec.Labels "windlass.away"}}' 2>/dev/null)" = "$name" ]
    fi
}
touched=no
had_kept=no
if docker volume inspect "$kept" >/dev/null 2>&1; then had_kept=yes; fi

back() {
    apart docker rm --force "$name" >/dev/null 2>&1 || true
    if is_there; then
        if [ "$touched" = yes ]; then put "$kept" "$live"; fi
        start_server
        if [ "$had_kept" = no ]; then docker volume rm --force "$kept" >/dev/null; fi
    fi
    # shellcheck disable=SC2086  # a list of ids
    if [ -n "$apps" ]; then apart docker start $apps >/dev/null; fi
}
begin() {
    # shellcheck disable=SC2086  # a list of ids
    { [ -z "$apps" ] || apart docker stop $apps >/dev/null; } &&
        stop_server &&
        apart "$@" >/dev/null || return 1
    tries=0
    until answers; do
        tries=$((tries + 1))
        if [ "$tries" -ge 1200 ] || [ "$(docker container inspect --format '{{.State.Running}}' "$name")" != true ]; then
            docker logs --tail 20 "$name" >&2
            return 1
        fi
        sleep 0.25
    done
}
switch() {
    apart docker stop --time 300 "$name" >/dev/null || return 1
    status=$(docker container inspect --format '{{.State.ExitCode}}' "$name")
    if [ "$status" != 0 ]; then
        printf 'the old server ended with status %s\n' "$status" >&2
        return 1
    fi
    docker volume create --label "windlass.kept=$project" "$kept" >/dev/null && put "$live" "$kept" || return 1
    touched=yes
    put "$fresh" "$live"
}
# the shell's own `read` takes no byte beyond the line, as `head` would
hear() {
    # shellcheck disable=SC2016  # expanded by the inner shell
    if command -v timeout >/dev/null; then
        timeout -s KILL 45 sh -c 'IFS= read -r line && printf "%s\n" "$line"'
    else
        IFS= read -r line && printf '%s\n' "$line"
    fi
}

if ! begin "$@"; then
    back
    exit 1
fi
say() { printf '%s\n' "$1" || true; }  # nobody may be there any more to hear it

say quiet
while line=$(hear) && [ -n "$line" ]; do
    case $line in
        switch)
            if ! switch; then
                back
                exit 1
            fi
            say switched
            ;;
        stand) exit 0 ;;
    esac
done
back
