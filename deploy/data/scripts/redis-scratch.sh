# Works on a dump of Redis in a container of its own.
#
#   redis-scratch.sh check IMAGE          standard input: a dump. Reads it to its end; prints "KEYS WITH_EXPIRY"
#   redis-scratch.sh load IMAGE PROJECT   standard input: a dump. Loads it into a server; prints "KEYS WITH_EXPIRY" that are there
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
esac
