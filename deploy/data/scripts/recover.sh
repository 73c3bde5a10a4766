# Recovers a PostgreSQL server as of a moment, in a container that nobody else uses.
#
#   recover.sh PROJECT NAME IMAGE USER ARCHIVE TARGET
#
# Standard input is a base backup's tar; ARCHIVE the folder with the WAL that leads on from it; TARGET a time, or "immediate" for
# where the base ends; USER the server's superuser. Every file is compared with the server's own manifest of it, and the WAL that
# the base needs is read, before the server starts. Prints "replayed SEGMENT" as it goes; ends when it takes connections.
set -eu

project=$1 name=$2 image=$3 user=$4 archive=$5 target=$6

set -- -c hba_file=/tmp/hba.conf -c listen_addresses=127.0.0.1 -c ssl=off -c hot_standby=off -c fsync=off \
    -c archive_mode=off -c synchronous_standby_names= -c primary_conninfo= -c logging_collector=off -c log_destination=stderr \
    -c log_min_messages=log -c lc_messages=C -c recovery_target_action=promote \
    -c 'restore_command=cp "/archive/%f" "%p" 2>/dev/null || cp "/archive/%f.partial" "%p" 2>/dev/null'
case $target in
    immediate) set -- "$@" -c recovery_target=immediate ;;
    *) set -- "$@" -c "recovery_target_time=$target" -c recovery_target_inclusive=off ;;
esac
# shellcheck disable=SC2016  # expanded by the shell in the container
docker run --detach --name "$name" --label "windlass.scratch=$project" --network none --shm-size 256m --user 0:0 \
    --env "POSTGRES_USER=$user" --env POSTGRES_HOST_AUTH_METHOD=trust --volume "$archive:/archive:ro" --entrypoint sh "$image" -euc '
        until [ -e /tmp/ready ]; do sleep 0.1; done
        exec docker-entrypoint.sh postgres "$@"
    ' recover "$@" >/dev/null
# shellcheck disable=SC2016
docker exec --interactive --user 0:0 "$name" sh -euc '
    mkdir -p "$PGDATA"
    tar -xpf - -C "$PGDATA"
    pg_verifybackup --quiet --wal-directory=/archive "$PGDATA"
    : >"$PGDATA/recovery.signal"
    chown -R postgres "$PGDATA"
    chmod 0700 "$PGDATA"
    printf "local all all trust\nhost all all 127.0.0.1/32 trust\n" >/tmp/hba.conf
    : >/tmp/ready
' >&2
at=
while ! docker exec "$name" pg_isready --quiet --host 127.0.0.1 --username "$user" 2>/dev/null; do
    said=$(docker logs "$name" 2>&1 | sed -n 's/.*restored log file "\([0-9A-F]*\)".*/\1/p' | tail -n 1)
    if [ "$said" != "$at" ]; then printf 'replayed %s\n' "$said"; fi
    at=$said
    if [ "$(docker container inspect --format '{{.State.Running}}' "$name")" != true ]; then
        docker logs --tail 20 "$name" >&2
        exit 1
    fi
    sleep 0.3
done
