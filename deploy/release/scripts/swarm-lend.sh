# Puts containers that a cluster runs on this node into networks, as soon as they run.
#
#   swarm-lend.sh TIMEOUT_S {SERVICE NETWORK ALIASES}...      SERVICE: its name in the cluster; ALIASES: comma-separated
#
# One that does not come to run is left out: whoever waits for the service tells why.
set -eu

tries=$(($1 * 10))
shift
while [ $# -ge 3 ]; do
    until container=$(docker ps --quiet --filter "label=com.docker.swarm.service.name=$1" | head -n 1) && [ -n "$container" ]; do
        tries=$((tries - 1))
        if [ "$tries" -le 0 ]; then exit 0; fi
        sleep 0.1
    done
    aliases=
    for alias in $(printf '%s' "$3" | tr ',' ' '); do aliases="$aliases --alias $alias"; done
    # shellcheck disable=SC2086  # a list of options; service names hold no spaces
    docker network connect $aliases "$2" "$container" 2>/dev/null || true
    shift 3
done
