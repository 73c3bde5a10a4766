# Lets a slot's release finish what it has begun, tells it to end, and only then takes it out of the edge.
#
#   retire.sh ROOT CONTAINER SLOT LIMIT_S CONFIG STATE COMMANDS [LISTENER...] -- [PROJECT...] -- {CONTAINER NETWORK}...
#
# First it waits until no request is in flight on SLOT, at most LIMIT_S seconds. Then all containers of the compose PROJECTs get
# their stop signal at once: an application can still tell its WebSockets through the proxy before it, which waits for them.
# CONFIG and STATE are whole texts for the edge's next start, COMMANDS takes the slot out of the running one, and last the
# CONTAINERs leave the NETWORKs. An empty SLOT means that no release is in the edge. Prints how many connections were left.
set -eu

root=$1 container=$2 slot=$3 limit_s=$4 config=$5 state=$6 commands=$7
shift 7

write() { printf '%s' "$2" >"$1.new" && chmod 0644 "$1.new" && mv "$1.new" "$1"; }
admin() { docker exec -i "$container" bash -c 'exec 3<>/dev/tcp/127.0.0.1/9999; cat >&3; cat <&3'; }

# Of every worker: a reload leaves connections with the one that has them. Fifth column of "show stat": current sessions;
# type 2 are backends.
# shellcheck disable=SC2016  # expanded by the shell in the container
count='
    master() { exec 3<>/dev/tcp/127.0.0.1/9998; printf "%s\nquit\n" "$1" >&3; cat <&3; exec 3>&-; }
    master "show proc" | while read -r pid type _; do
        if [ "$type" = worker ]; then
            for backend; do master "@!$pid show stat $backend 2 -1"; done
        fi
    done
'
busy() {
    # shellcheck disable=SC2086  # a list of names
    docker exec "$container" bash -c "$count" count $backends | awk -F, '$2 == "BACKEND" { left += $5 } END { print left + 0 }'
}

backends=
while [ "$1" != -- ]; do
    backends="$backends ${slot}_$1"
    shift
done
shift
left=0
if [ -n "$backends" ]; then
    deadline=$(($(date +%s) + limit_s))
    left=$(busy)
    said=
    while [ "$left" -gt 0 ] && [ "$(date +%s)" -lt "$deadline" ]; do
        if [ "$left" != "$said" ]; then
            printf 'waiting for %s in flight, at most %s s\n' "$left" "$limit_s"
            said=$left
        fi
        sleep 0.5
        left=$(busy)
    done
fi

running=
while [ "$1" != -- ]; do
    running="$running $(docker ps --quiet --filter "label=com.docker.compose.project=$1")"
    shift
done
shift
# shellcheck disable=SC2086  # a list of ids
if [ -n "${running# }" ]; then docker stop $running >/dev/null; fi

if [ -n "$slot" ]; then
    cd "$root"
    write edge/etc/haproxy.cfg "$config"
    write edge/state.json "$state"
    if [ -n "$commands" ]; then printf '%s\n' "$commands" | admin >/dev/null; fi
fi
while [ $# -ge 2 ]; do
    docker network disconnect --force "$2" "$1" 2>/dev/null || true
    shift 2
done
printf '%s\n' "$left"
