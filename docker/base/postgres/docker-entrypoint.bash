#!/usr/bin/env bash
set -Eeuo pipefail

# NAME from the environment, or from the file that NAME_FILE names
from_file() {
    local file="${1}_FILE"
    [ -z "${!file:-}" ] || export "$1=$(<"${!file}")"
    unset "$file"
}

first_start() {
    from_file POSTGRES_USER; from_file POSTGRES_PASSWORD; from_file POSTGRES_DB; from_file POSTGRES_INITDB_ARGS
    local user=${POSTGRES_USER:-postgres}
    local database=${POSTGRES_DB:-$user}
    local auth=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "${POSTGRES_PASSWORD:-}" ] && [ "$auth" != trust ]; then
        echo >&2 'Error: POSTGRES_PASSWORD is empty; set it, or POSTGRES_HOST_AUTH_METHOD=trust (never in production)'
        exit 1
    fi
    # shellcheck disable=SC2086  # POSTGRES_INITDB_ARGS is a list of words
    initdb --username="$user" --pwfile=<(printf '%s\n' "${POSTGRES_PASSWORD:-}") ${POSTGRES_INITDB_ARGS:-}
    printf '\nhost all all all %s\n' "$auth" >>"$PGDATA/pg_hba.conf"
    # only the socket is open while the init scripts run, so that nobody sees a half-made database
    PGUSER=$user pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
    local -a psql=(psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$user")
    [ "$database" = postgres ] || "${psql[@]}" --dbname postgres --set db="$database" <<<'CREATE DATABASE :"db";'
    psql+=(--dbname "$database")
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
            *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
            *.sql) "${psql[@]}" -f "$file" ;;
            *.sql.gz) gunzip -c "$file" | "${psql[@]}" ;;
            *.sql.xz) xzcat "$file" | "${psql[@]}" ;;
            *.sql.zst) zstd -dc "$file" | "${psql[@]}" ;;
        esac
    done
    PGUSER=$user pg_ctl -D "$PGDATA" -m fast -w stop
}

[ "${1:0:1}" != - ] || set -- postgres "$@"
if [ "$1" = postgres ]; then
    if [ "$(id -u)" = 0 ]; then
        mkdir -p "$PGDATA"
        chmod 700 "$PGDATA"
        find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
        exec gosu postgres "$BASH_SOURCE" "$@"
    fi
    [ -s "$PGDATA/PG_VERSION" ] || first_start
fi
exec "$@"
