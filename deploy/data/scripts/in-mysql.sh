# Runs the programs of MariaDB or MySQL in a database's container, as root, with the password that the container has itself.
#
#   in-mysql.sh CONTAINER client [ARGUMENT...]     the word @DATABASE stands for the image's own database
#   in-mysql.sh CONTAINER version                  prints the client's name, then the dump tool's version
#   in-mysql.sh CONTAINER snapshot                 standard input: statements that count. Prints a folder for `dump`, then what
#                                                  they answer, all in the snapshot that the dump reads
#   in-mysql.sh CONTAINER dump FOLDER DATABASE     prints a dump; its events come last, after a line that says so
#   in-mysql.sh CONTAINER code [--force] DATABASE VIEW...
#                                                  prints triggers, routines and views without any table; with --force but
#                                                  those that are broken, such as views of tables that are gone
#   in-mysql.sh CONTAINER load DATABASE            standard input: a dump. Loads it but for its events
#   in-mysql.sh CONTAINER users                    prints accounts and grants without passwords: accounts that are locked
#
# A dump and those who count begin their snapshots under one global read lock. It is waited for 2 s, three times, and held
# until the dump's first bytes: the server itself ends it after 10 s. In MySQL it waits for who reads, too, and whoever
# comes later waits behind it, even when we have given up: there it is not asked for while a statement has been running for
# 3 s. `dump` ends with status 75 when it is not to be had; `snapshot` says why. The password goes over the environment.
set -eu

container=$1
shift
terminal=
if [ -t 0 ]; then terminal=--tty; fi

# shellcheck disable=SC2016  # expanded inside the container
exec docker exec --interactive ${terminal:+"$terminal"} --user 0:0 "$container" sh -euc '
    value() { eval "printf %s \"\${$1:-}\""; }
    setting() {
        for name; do
            file=$(value "${name}_FILE")
            if [ -n "$file" ]; then cat "$file"; else value "$name"; fi
            [ -z "$file$(value "$name")" ] || return 0
        done
    }
    named() {
        for one; do
            if command -v "$one" >/dev/null; then printf %s "$one" && return; fi
        done
        printf "the image has no %s\n" "$1" >&2
        exit 1
    }
    client() {
        "$client" --user=root --host=localhost --default-character-set=utf8mb4 --skip-reconnect \
            --loose-skip-print-query-on-error --init-command="SET SESSION sql_mode = 0" "$@"
    }
    dump() {
        case $dump in mysqldump) set -- --loose-set-gtid-purged=OFF --loose-column-statistics=0 "$@" ;; esac
        "$dump" --user=root --host=localhost --default-character-set=utf8mb4 --single-transaction --quick --hex-blob \
            --no-tablespaces --max-allowed-packet=1G --comments "$@"
    }
    login() {
        for password; do
            export MYSQL_PWD="$password"
            if said=$(client --execute "DO 1" 2>&1 </dev/null); then return; fi
        done
        printf "root cannot log in with what MARIADB_ROOT_PASSWORD or MYSQL_ROOT_PASSWORD of the service say, nor without a password: %s\n" "$said" >&2
        exit 1
    }
    dump=$(named mariadb-dump mysqldump)
    client=$(named mariadb mysql)
    login "$(setting MARIADB_ROOT_PASSWORD MYSQL_ROOT_PASSWORD)" ""

    within=
    # the snapshot of whoever counts; only who holds the lock may begin the dump
    hold() {
        {
            printf "%s;\n" "SET SESSION lock_wait_timeout = 2, wait_timeout = 10" \
                "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ" "FLUSH TABLES WITH READ LOCK" \
                "START TRANSACTION WITH CONSISTENT SNAPSHOT" "SELECT 1"
            looks=0
            until [ -e "$within/begun" ] || [ -e "$within/over" ] || [ "$looks" -ge 1000 ]; do
                looks=$((looks + 1))
                sleep 0.01
            done
            if [ -e "$within/begun" ]; then
                printf "%s;\n" "UNLOCK TABLES" "SET SESSION wait_timeout = 28800"
                cat "$within/counting"
            fi
        } | client --batch --skip-column-names --unbuffered 2>"$within/said" | {
            if read -r _; then
                touch "$within/locked"
                cat
            fi
            touch "$within/over"
        }
        [ -e "$within/locked" ]
    }
    longest() {
        client --batch --skip-column-names --execute "
            SELECT CONCAT(USER, \" has had a statement running for \", TIME, \" s (thread \", ID, \")\")
            FROM information_schema.PROCESSLIST
            WHERE COMMAND IN (\"Query\", \"Execute\") AND TIME BETWEEN 3 AND 100000000 AND ID <> CONNECTION_ID() $1
            ORDER BY TIME DESC LIMIT 1"
    }

    verb=$1
    shift
    case $verb in
        client)
            database=$(setting MARIADB_DATABASE MYSQL_DATABASE)
            for word; do
                shift
                [ "$word" != @DATABASE ] || word=$database
                set -- "$@" "$word"
            done
            # people get the session that the server gives everybody
            exec "$client" --user=root --host=localhost --default-character-set=utf8mb4 "$@"
            ;;
        version)
            printf "%s\n" "$client"
            "$dump" --version
            ;;
        snapshot)
            within=$(mktemp -d)
            trap "rm -rf \"$within\"" EXIT
            trap "exit 1" HUP INT TERM
            cat >"$within/counting"
            printf "%s\n" "$within"
            looks=0
            until [ -e "$within/asked" ]; do
                looks=$((looks + 1))
                [ "$looks" -lt 1200 ] || exit 1
                sleep 0.05
            done
            tries=0
            until busy=$(longest "AND VERSION() NOT LIKE \"%MariaDB%\"") && [ -z "$busy" ] && rm -f "$within/over" && hold; do
                tries=$((tries + 1))
                if [ "$tries" -ge 3 ]; then
                    busy=${busy:-$(longest "")}
                    printf "the tables cannot be locked for a moment: %s\n" "${busy:-somebody holds a lock on a table}" >&2
                    exit 1
                fi
                sleep 3
            done
            cat "$within/said" >&2
            ;;
        dump)
            within=$1 database=$2
            touch "$within/asked"
            until [ -e "$within/locked" ]; do
                [ -d "$within" ] || exit 75
                sleep 0.01
            done
            # what comes after the head of a dump is printed in its transaction; dd takes no byte beyond what it is told to
            exec 4>&1
            status=$({ { dump --routines --triggers "$database" || echo "$?" >&3; } | {
                dd bs=1 count=2048 2>/dev/null
                touch "$within/begun" 2>/dev/null || true
                cat
            } >&4; } 3>&1)
            [ -z "$status" ] || exit "$status"
            printf "\n-- windlass: events\n"
            dump --no-data --no-create-info --skip-triggers --events "$database"
            ;;
        code)
            force=
            if [ "$1" = --force ]; then force=$1 && shift; fi
            database=$1
            shift
            set -- --no-data --skip-triggers "$database" "$@"
            dump $force --no-data --no-create-info --triggers --add-drop-trigger --routines "$database" || [ -n "$force" ]
            [ "$#" -eq 3 ] || dump $force "$@" || [ -n "$force" ]
            ;;
        load)
            sed "/^-- windlass: events\$/,\$d" | client --binary-mode --database="$1"
            ;;
        users)
            accounts="FROM mysql.user WHERE User NOT IN (\"\", \"root\", \"mariadb.sys\", \"mysql.sys\", \"mysql.session\",
                \"mysql.infoschema\", \"healthcheck\", \"PUBLIC\") ORDER BY User, Host"
            ask() { client --batch --skip-column-names --raw --execute "$1"; }
            printf -- "-- accounts without their passwords: each is locked until ALTER USER ... IDENTIFIED BY ... ACCOUNT UNLOCK\n"
            is_role=$(ask "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = \"mysql\"
                AND TABLE_NAME = \"user\" AND COLUMN_NAME = \"is_role\"")
            if [ "$is_role" = 0 ]; then is_role="\"N\""; else is_role=is_role; fi
            ask "SELECT IF($is_role = \"Y\", CONCAT(\"CREATE ROLE IF NOT EXISTS \", QUOTE(User), \";\"),
                CONCAT(\"CREATE USER IF NOT EXISTS \", QUOTE(User), \"@\", QUOTE(Host), \" ACCOUNT LOCK;\")) $accounts"
            grants=$(ask "SELECT CONCAT(\"SHOW GRANTS FOR \", QUOTE(User),
                IF($is_role = \"Y\", \"\", CONCAT(\"@\", QUOTE(Host))), \";\") $accounts")
            [ -n "$grants" ] || exit 0
            said=$(ask "$grants")
            printf "%s\n" "$said" | sed -e "s/ IDENTIFIED .*\( WITH GRANT OPTION\)\$/\1/" -e "s/ IDENTIFIED .*//" -e "/./s/\$/;/"
            ;;
    esac
' in-mysql "$@"
