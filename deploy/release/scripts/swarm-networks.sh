# Makes networks of a cluster that are not there yet, and labels the node that keeps the project's data.
#
#   swarm-networks.sh LABEL {NAME INTERNAL OPTIONS}...      INTERNAL is yes or no, OPTIONS are comma-separated
set -eu

label=$1
shift
node=$(docker info --format '{{.Swarm.NodeID}}')
if [ -n "$label" ]; then docker node update --label-add "$label=yes" "$node" >/dev/null; fi
while [ $# -ge 3 ]; do
    name=$1 internal=$2 options=$3
    shift 3
    if docker network inspect "$name" >/dev/null 2>&1; then
        scope=$(docker network inspect --format '{{.Scope}} {{.Attachable}}' "$name")
        if [ "$scope" != 'swarm true' ]; then
            printf 'the network %s is there and is none of a cluster that containers may join: remove it\n' "$name" >&2
            exit 1
        fi
        continue
    fi
    words=
    if [ "$internal" = yes ]; then words=--internal; fi
    for option in $(printf '%s' "$options" | tr ',' ' '); do words="$words --opt $option"; done
    # shellcheck disable=SC2086
    docker network create --driver overlay --attachable $words "$name" >/dev/null
    printf 'made %s\n' "$name"
done
