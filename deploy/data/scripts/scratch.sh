# Containers, volumes and networks for drills and rehearsals, which nobody else uses.
#
#   scratch.sh network PROJECT NAME       makes a network that leads nowhere else, not even to the host it is on
#   scratch.sh postgres|mysql|qdrant PROJECT NAME IMAGE [NETWORK ALIAS...]
#                               starts a server and waits until it answers: on no network, or on one, under some names
#   scratch.sh await postgres|mysql|qdrant NAME       waits until one that was started otherwise answers
#   scratch.sh remove NAME      removes a container with its data
#   scratch.sh sweep PROJECT    removes whatever a drill or a rehearsal has made, and left where it was killed
set -eu

verb=$1
shift

# shellcheck disable=SC2016  # expanded by the shell in the container
answers() {
    case $1 in
        # the first server of a new data folder takes no connection over TCP: only the one that stays does
        postgres) docker exec "$2" pg_isready --quiet --host 127.0.0.1 --username postgres ;;
        # nor does that of MariaDB and MySQL, which both say so themselves
        mysql) docker exec "$2" sh -c '
            client=mysql
            if command -v mariadb >/dev/null; then client=mariadb; fi
            test "$("$client" --user=root --batch --skip-column-names --execute "SELECT @@skip_networking")" = 0' ;;
        qdrant) docker exec "$2" bash -c '
            exec 3<>/dev/tcp/127.0.0.1/6333 && printf "GET /readyz HTTP/1.0\r\n\r\n" >&3 &&
                read -r _ status _ <&3 && test "$status" = 200' ;;
    esac
}
await() {
    tries=0
    until answers "$1" "$2" 2>/dev/null; do
        tries=$((tries + 1))
        running=$(docker container inspect --format '{{.State.Running}}' "$2")
        if [ "$tries" -ge 240 ] || [ "$running" != true ]; then
            docker logs --tail 20 "$2" >&2
            exit 1
        fi
        sleep 0.5
    done
}

case $verb in
    network)
        docker network create --internal --opt com.docker.network.bridge.inhibit_ipv4=true \
            --label "windlass.scratch=$1" "$2" >/dev/null
        ;;
    postgres | mysql | qdrant)
        project=$1 name=$2 image=$3 network=${4:-none}
        shift 3
        if [ $# -gt 0 ]; then shift; fi
        aliases=
        for alias; do aliases="$aliases --network-alias $alias"; done
        set -- "$image"
        # nobody needs what it writes to survive a crash
        if [ "$verb" = mysql ]; then
            set -- "$@" --max-allowed-packet=1G --event-scheduler=OFF --skip-log-bin --innodb-flush-log-at-trx-commit=0
        fi
        # shellcheck disable=SC2086  # a list of options; names of services hold no spaces
        docker run --detach --name "$name" --label "windlass.scratch=$project" --network "$network" $aliases --shm-size 256m \
            --env POSTGRES_HOST_AUTH_METHOD=trust --env POSTGRES_USER=postgres \
            --env MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=yes --env MYSQL_ALLOW_EMPTY_PASSWORD=yes "$@" >/dev/null
        await "$verb" "$name"
        ;;
    await) await "$1" "$2" ;;
    remove) docker rm --force --volumes "$1" >/dev/null ;;
    sweep)
        # a container of `run --rm` may be on its way out, and one that was asked for may only now be made
        tries=0
        until [ -z "$(docker ps --all --quiet --filter "label=windlass.scratch=$1")" ]; do
            tries=$((tries + 1))
            [ "$tries" -lt 60 ] || { echo 'containers of a drill or a rehearsal could not be removed' >&2; exit 1; }
            for one in $(docker ps --all --quiet --filter "label=windlass.scratch=$1"); do
                docker rm --force --volumes "$one" >/dev/null 2>&1 || sleep 0.5
            done
        done
        for one in $(docker volume ls --quiet --filter "label=windlass.scratch=$1"); do docker volume rm "$one" >/dev/null; done
        for one in $(docker network ls --quiet --filter "label=windlass.scratch=$1"); do docker network rm "$one" >/dev/null; done
        ;;
esac
