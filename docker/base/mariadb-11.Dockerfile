# provides: mariadb:11 mariadb:11.8 mariadb:lts mariadb:latest mariadb:11-noble mariadb:10 mariadb:10-focal mariadb:10.6.4-focal
# Debian's MariaDB 11.8, in place of the older ones, too. It has the official image's variables (MARIADB_ROOT_PASSWORD,
# _ROOT_HOST, _DATABASE, _USER, _PASSWORD, each also as MYSQL_… and as …_FILE; _ALLOW_EMPTY_ROOT_PASSWORD,
# _RANDOM_ROOT_PASSWORD, _ROOT_PASSWORD_HASH, _INITDB_SKIP_TZINFO), /docker-entrypoint-initdb.d, healthcheck.sh, the
# healthcheck account, and the programs under MySQL's names.
FROM debian:trixie-slim
RUN groupadd -r -g 999 mysql && useradd -r -u 999 -g mysql -d /var/lib/mysql mysql \
 && apt-get update -qq \
 && export DEBIAN_FRONTEND=noninteractive \
 # a data folder that seems to be there already is not made
 && mkdir -p /var/lib/mysql/mysql && touch /var/lib/mysql/mysql/user.frm \
 && apt-get install -y -qq --no-install-recommends mariadb-server gosu pwgen tzdata xz-utils zstd >/dev/null 2>&1 \
 && rm -rf /var/lib/apt/lists/* /var/lib/mysql \
 && install -d -o mysql -g mysql -m 1777 /run/mysqld \
 && install -d -o mysql -g mysql /var/lib/mysql \
 && sed -Ei 's/^(bind-address|log|user\s)/#&/' /etc/mysql/mariadb.conf.d/*.cnf \
 && printf '[mariadb]\nhost-cache-size=0\nskip-name-resolve\n' >/etc/mysql/mariadb.conf.d/05-skipcache.cnf \
 && mkdir /docker-entrypoint-initdb.d
ENV LANG=C.UTF-8
COPY --chmod=755 <<'EOT' /usr/local/bin/docker-entrypoint.sh
#!/usr/bin/env bash
set -Eeuo pipefail
shopt -s nullglob

# NAME, or MYSQL_NAME, from the environment or from the file that …_FILE names, as both MARIADB_NAME and MYSQL_NAME
take() {
    local name
    for name in "MYSQL_$1" "MARIADB_$1"; do
        local file="${name}_FILE"
        if [ -n "${!file:-}" ]; then export "$name=$(<"${!file}")"; fi
        unset "$file"
    done
    local maria="MARIADB_$1" my="MYSQL_$1"
    export "$maria=${!maria:-${!my:-${2:-}}}"
    export "$my=${!maria}"
}
literal() { local text=${1//\\/\\\\}; printf "'%s'" "${text//\'/\\\'}"; }
sql() { MYSQL_PWD=${password:-} mariadb --protocol=socket --user=root --host=localhost ${MARIADB_DATABASE:+--database="$MARIADB_DATABASE"} "$@"; }

accounts() {
    local secret="IDENTIFIED BY $(literal "$MARIADB_ROOT_PASSWORD")" host
    if [ -n "${MARIADB_ROOT_PASSWORD_HASH:-}" ]; then
        secret="IDENTIFIED BY PASSWORD $(literal "$MARIADB_ROOT_PASSWORD_HASH")"
    fi
    if [ "$MARIADB_ROOT_HOST" != localhost ]; then
        echo "CREATE USER root@$(literal "$MARIADB_ROOT_HOST") $secret;"
        echo "GRANT ALL ON *.* TO root@$(literal "$MARIADB_ROOT_HOST") WITH GRANT OPTION;"
    fi
    if [ -n "$MARIADB_DATABASE" ]; then echo "CREATE DATABASE IF NOT EXISTS \`$MARIADB_DATABASE\`;"; fi
    if [ -n "$MARIADB_USER" ]; then
        echo "CREATE USER $(literal "$MARIADB_USER")@'%' IDENTIFIED BY $(literal "$MARIADB_PASSWORD");"
        if [ -n "$MARIADB_DATABASE" ]; then
            echo "GRANT ALL ON \`${MARIADB_DATABASE//_/\\_}\`.* TO $(literal "$MARIADB_USER")@'%';"
        fi
    fi
    local health
    health=$(pwgen -s 32 1)
    for host in 127.0.0.1 ::1 localhost; do
        echo "CREATE USER IF NOT EXISTS healthcheck@'$host' IDENTIFIED BY '$health';"
    done
    (umask 077 && printf '[mariadb-client]\nuser=healthcheck\npassword=%s\nprotocol=tcp\n' "$health" >/var/lib/mysql/.my-healthcheck.cnf)
    echo "ALTER USER root@localhost $secret;"
}

first_start() {
    if [ -z "$MARIADB_ROOT_PASSWORD${MARIADB_ROOT_PASSWORD_HASH:-}${MARIADB_RANDOM_ROOT_PASSWORD:-}${MARIADB_ALLOW_EMPTY_ROOT_PASSWORD:-}" ]; then
        echo >&2 'Error: set MARIADB_ROOT_PASSWORD, or one of MARIADB_ROOT_PASSWORD_HASH, MARIADB_RANDOM_ROOT_PASSWORD and MARIADB_ALLOW_EMPTY_ROOT_PASSWORD'
        exit 1
    fi
    if [ -n "${MARIADB_RANDOM_ROOT_PASSWORD:-}" ]; then
        MARIADB_ROOT_PASSWORD=$(pwgen -s 32 1)
        echo "GENERATED ROOT PASSWORD: $MARIADB_ROOT_PASSWORD"
    fi
    mariadb-install-db --datadir=/var/lib/mysql --rpm --auth-root-authentication-method=normal --skip-test-db >/dev/null
    # only the socket is open while the init scripts run, so that nobody sees a half-made database
    "$@" --skip-networking --skip-log-bin &
    local server=$! database=$MARIADB_DATABASE file
    MARIADB_DATABASE=
    until sql --execute 'SELECT 1' >/dev/null 2>&1; do
        kill -0 "$server"
        sleep 0.2
    done
    if [ -z "${MARIADB_INITDB_SKIP_TZINFO:-}" ]; then
        mariadb-tzinfo-to-sql --skip-write-binlog /usr/share/zoneinfo 2>/dev/null | sql --database=mysql
    fi
    MARIADB_DATABASE=$database accounts | sql
    MARIADB_DATABASE=$database
    password=$MARIADB_ROOT_PASSWORD
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
            *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
            *.sql) sql <"$file" ;;
            *.sql.gz) gunzip -c "$file" | sql ;;
            *.sql.xz) xzcat "$file" | sql ;;
            *.sql.zst) zstd -dc "$file" | sql ;;
        esac
    done
    kill "$server"
    wait "$server"
}

case ${1:-} in -*) set -- mariadbd "$@" ;; esac
if [ "$1" = mariadbd ] || [ "$1" = mysqld ]; then
    if [ "$(id -u)" = 0 ]; then
        find /var/lib/mysql /run/mysqld \! -user mysql -exec chown mysql: '{}' +
        exec gosu mysql "$BASH_SOURCE" "$@"
    fi
    take ROOT_PASSWORD; take ROOT_HOST %; take DATABASE; take USER; take PASSWORD
    : "${MARIADB_ALLOW_EMPTY_ROOT_PASSWORD:=${MYSQL_ALLOW_EMPTY_PASSWORD:-}}"
    : "${MARIADB_RANDOM_ROOT_PASSWORD:=${MYSQL_RANDOM_ROOT_PASSWORD:-}}"
    : "${MARIADB_INITDB_SKIP_TZINFO:=${MYSQL_INITDB_SKIP_TZINFO:-}}"
    [ -d /var/lib/mysql/mysql ] || first_start "$@"
fi
exec "$@"
EOT
COPY --chmod=755 <<'EOT' /usr/local/bin/healthcheck.sh
#!/usr/bin/env bash
# --connect and --innodb_initialized are looked at; other tests of the official script count as passed
set -eo pipefail
ask() { mariadb --defaults-extra-file=/var/lib/mysql/.my-healthcheck.cnf --skip-ssl --protocol socket --batch --skip-column-names --execute "$1"; }
[ "$(ask 'SELECT @@skip_networking')" = 0 ]
case " $* " in
    *' --innodb_initialized '*)
        [ "$(ask "SELECT 1 FROM information_schema.ENGINES WHERE ENGINE = 'innodb' AND SUPPORT IN ('YES', 'DEFAULT')")" = 1 ] ;;
esac
EOT
VOLUME /var/lib/mysql
EXPOSE 3306
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["mariadbd"]
