# Waits until no request is in flight on a slot, at most LIMIT_S seconds. Prints how many were left.
#
#   drain.sh CONTAINER SLOT LIMIT_S [LISTENER...]
set -eu

container=$1 slot=$2 limit_s=$3
shift 3

# fifth column of "show stat": current sessions; type 2 are backends
busy() {
    commands=
    for listener in "$@"; do
        commands="${commands}show stat ${slot}_$listener 2 -1;"
    done
    printf '%s\n' "$commands" |
        docker exec -i "$container" bash -c 'exec 3<>/dev/tcp/127.0.0.1/9999; cat >&3; cat <&3' |
        awk -F, '$2 == "BACKEND" { left += $5 } END { print left + 0 }'
}

left=0
if [ $# -gt 0 ]; then
    deadline=$(($(date +%s) + limit_s))
    left=$(busy "$@")
    while [ "$left" -gt 0 ] && [ "$(date +%s)" -lt "$deadline" ]; do
        sleep 0.5
        left=$(busy "$@")
    done
fi
printf '%s\n' "$left"
