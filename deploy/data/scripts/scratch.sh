# Containers and volumes for drills, which nobody else uses.
#
#   scratch.sh postgres|qdrant PROJECT NAME IMAGE     starts a server and waits until it answers
#   scratch.sh remove NAME      removes a container with its data
#   scratch.sh sweep PROJECT    removes whatever a drill that was killed has left
set -eu

verb=$1
shift

# shellcheck disable=SC2016  # expanded by the shell in the container
answers() {
    case $verb in
        # the first server of a new data folder takes no connection over TCP: only the one that stays does
        postgres) docker exec "$1" pg_isready --quiet --host 127.0.0.1 --username postgres ;;
        qdrant) docker exec "$1" bash -c '
            exec 3<>/dev/tcp/127.0.0.1/6333 && printf "GET /readyz HTTP/1.0\r\n\r\n" >&3 &&
                read -r _ status _ <&3 && test "$status" = 200' ;;
    esac
}

case $verb in
    postgres | qdrant)
        project=$1 name=$2 image=$3
        docker run --detach --name "$name" --label "windlass.scratch=$project" --network none --shm-size 256m \
            --env POSTGRES_HOST_AUTH_METHOD=trust --env POSTGRES_USER=postgres "$image" >/dev/null
        tries=0
        until answers "$name" 2>/dev/null; do
            tries=$((tries + 1))
            running=$(docker container inspect --format '{{.State.Running}}' "$name")
            if [ "$tries" -ge 240 ] || [ "$running" != true ]; then
                docker logs --tail 20 "$name" >&2
                exit 1
            fi
            sleep 0.5
        done
        ;;
    remove) docker rm --force --volumes "$1" >/dev/null ;;
    sweep)
        for one in $(docker ps --all --quiet --filter "label=windlass.scratch=$1"); do
            docker rm --force --volumes "$one" >/dev/null
        done
        for one in $(docker volume ls --quiet --filter "label=windlass.scratch=$1"); do docker volume rm "$one" >/dev/null; done
        ;;
esac
