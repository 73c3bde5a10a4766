# Points the edge at a release: fills a slot, waits until HAProxy has every server's address and the address answers, then
# changes the one entry of the map that every public port goes by. Runs to its end even when the client that started it is
# gone.
#
#   switch.sh ROOT CONTAINER SLOT CONFIG MAP STATE RELEASE FILL TIMEOUT_S HOST [BACKEND/SERVER=NAME:PORT...] -- [PORT=PATH...]
#
# CONFIG, MAP and STATE are the whole texts for the edge's next start; FILL is one line of runtime commands. RELEASE becomes
# `current`; an empty one means that no release is live. Status 3: a server did not come up, nothing was switched. At last
# every PORT is asked for its PATH from inside the edge's container; "PORT STATUS" is printed for each, 0 without an answer.
set -eu

root=$1 container=$2 slot=$3 config=$4 map=$5 state=$6 release=$7 fill=$8 timeout_s=$9
shift 9
host=$1
shift

live_map=/usr/local/etc/haproxy/live.map
write() { printf '%s' "$2" >"$1.new" && chmod 0644 "$1.new" && mv "$1.new" "$1"; }

# In the edge's own network, so that what answers here answers HAProxy. A server that leaves maintenance counts as up
# before its first check, with whatever address it had: so it stays there until it has been given the new one, which
# HAProxy would find by its name, too, half a second later. It then falls with one failed check, and that may be one that
# was on its way to the address before: so it must have passed one since.
# Columns of "show servers state": 4 name, 5 address, 6 state (2: up), 13 health (3: the most that `rise 1 fall 3` gives).
# shellcheck disable=SC2016  # expanded by the shell in the container
ready='
    set -eu
    admin() { exec 3<>/dev/tcp/127.0.0.1/9999; printf "%s\n" "$1" >&3; cat <&3; exec 3>&-; }
    state() { admin "show servers state ${1%/*}" | while read -r -a is; do [ "${is[3]:-}" != "${1#*/}" ] || echo "${is[*]}"; done; }
    is_ready() {
        address=$(getent ahostsv4 "$name" | { read -r first _ && printf %s "$first"; }) &&
            (exec 4<>"/dev/tcp/$address/$port") 2>/dev/null &&
            admin "set server $server addr $address" >/dev/null &&
            read -r -a is <<<"$(state "$server")" && [ "${is[4]:-}" = "$address" ] &&
            admin "set server $server state ready" >/dev/null
    }
    is_up() { read -r -a is <<<"$(state "$server")" && [ "${is[5]:-} ${is[12]:-}" = "2 3" ]; }
    patiently() {
        until "$1"; do
            tries=$((tries - 1))
            if [ "$tries" -le 0 ]; then printf "the edge cannot reach %s port %s\n" "$name" "$port" >&2; exit 3; fi
            sleep 0.1
        done
    }
    fill=$1 tries=$(($2 * 10))
    shift 2
    if [ -n "$fill" ]; then admin "$fill" >/dev/null; fi
    for step in is_ready is_up; do
        for wanted; do
            [ "$wanted" != -- ] || break
            server=${wanted%%=*} name=${wanted#*=} port=${wanted##*:}
            name=${name%:*}
            patiently "$step"
        done
    done
'
docker exec "$container" bash -c "$ready" ready "$fill" "$timeout_s" "$@" || exit 3

cd "$root"
write edge/etc/haproxy.cfg "$config"
write edge/etc/live.map "$map"
write edge/state.json "$state"
if [ -n "$release" ]; then
    ln -sfn "releases/$release" current.new
    mv -T current.new current
else
    rm -f current
fi
while [ "$1" != -- ]; do shift; done
shift
# shellcheck disable=SC2016  # expanded by the shell in the container
docker exec "$container" bash -c '
    map=$1 slot=$2 host=$3
    shift 3
    exec 3<>/dev/tcp/127.0.0.1/9999
    printf "set map %s live %s; show map %s\n" "$map" "$slot" "$map" >&3
    grep -q " live $slot\$" <&3 || { printf "the edge did not take the switch\n" >&2; exit 4; }
    exec 3>&-
    for probe; do
        port=${probe%%=*} status=0
        if exec 3<>"/dev/tcp/127.0.0.1/$port"; then
            printf "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: windlass\r\nConnection: close\r\n\r\n" "${probe#*=}" "$host" >&3
            if read -r -t 20 _ status _ <&3; then :; else status=0; fi
            exec 3>&-
        fi
        printf "%s %s\n" "$port" "${status:-0}"
    done
' switch "$live_map" "$slot" "$host" "$@"
