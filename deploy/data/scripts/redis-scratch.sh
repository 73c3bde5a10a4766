# Works on a dump of Redis in a container of its own.
#
#   redis-scratch.sh check IMAGE          standard input: a dump. Reads it to its end; prints "KEYS WITH_EXPIRY"
#   redis-scratch.sh load IMAGE PROJECT   standard input: a dump. Loads it into a server; prints "KEYS WITH_EXPIRY" that are there
#   redis-scratch.sh replace CONTAINER FOLDER APPENDS    standard input: a dump. Puts it in the place of a stopped server's data
#
# APPENDS is "yes" where the server keeps an append-only file, which is made anew from the dump: it is all such a server reads.
set -eu

verb=$1 image=$2

# shellcheck disable=SC2016  # expanded by the shell in the container
counted='
    keys=0 expires=0
    for line in $(redis-cli -s /tmp/r.sock info keyspace | tr -d "\r" | grep "^db" | cut -d : -f 2); do
        of=${line#keys=} keys=$((keys + ${of%%,*}))
        of=${line#*expires=} expires=$((expires + ${of%%,*}))
    done
    printf "%s %s\n" "$keys" "$expires"
'
case $verb in
    check)
        docker run --rm --interactive --network none --entrypoint sh "$image" -euc '
            cat >/tmp/dump.rdb
            redis-check-rdb /tmp/dump.rdb >/tmp/said || { cat /tmp/said >&2; exit 1; }
            grep -q "RDB looks OK" /tmp/said || { cat /tmp/said >&2; exit 1; }
            number() { sed -n "s/^\[info\] \([0-9]*\) $1.*/\1/p" /tmp/said; }
            printf "%s %s\n" "$(number "keys read")" "$(number expires)"
        '
        ;;
    load)
        docker run --rm --interactive --network none --label "windlass.scratch=$3" --entrypoint sh "$image" -euc '
            mkdir -p /tmp/d
            cat >/tmp/d/dump.rdb
            redis-server --port 0 --unixsocket /tmp/r.sock --dir /tmp/d --save "" --appendonly no --daemonize yes >/dev/null
            tries=0
            until [ "$(redis-cli -s /tmp/r.sock ping 2>/dev/null)" = PONG ]; do
                tries=$((tries + 1))
                [ "$tries" -lt 1200 ] || { echo "it does not load within 10 minutes" >&2; exit 1; }
                sleep 0.5
            done
            '"$counted"
        ;;
    replace)
        container=$2 folder=$3 appends=$4
        image=$(docker container inspect --format '{{.Image}}' "$container")
        docker run --rm --interactive --network none --user 0:0 --volumes-from "$container" --entrypoint sh "$image" -euc '
            cd "$1"
            owner=$(stat -c %u:%g .)
            cat >restored.rdb
            rm -rf appendonlydir appendonly.aof dump.rdb
            mv restored.rdb dump.rdb
            if [ "$2" = yes ]; then
                redis-server --port 0 --unixsocket /tmp/r.sock --dir "$1" --save "" --appendonly no --daemonize yes >/dev/null
                until [ "$(redis-cli -s /tmp/r.sock ping 2>/dev/null)" = PONG ]; do sleep 0.2; done
                redis-cli -s /tmp/r.sock config set appendonly yes >/dev/null
                while redis-cli -s /tmp/r.sock info persistence | grep -q "aof_rewrite_in_progress:1\|aof_rewrite_scheduled:1"; do sleep 0.2; done
                redis-cli -s /tmp/r.sock info persistence | grep -q "aof_last_bgrewrite_status:ok"
                redis-cli -s /tmp/r.sock shutdown nosave || true
                while [ -S /tmp/r.sock ] && redis-cli -s /tmp/r.sock ping >/dev/null 2>&1; do sleep 0.1; done
            fi
            chown -R "$owner" .
        ' replace "$folder" "$appends"
        ;;
esac
