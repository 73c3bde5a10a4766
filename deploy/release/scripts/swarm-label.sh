# Sets a label of nodes, to the same value. The cluster refuses a change of a node that another one came before.
#
#   swarm-label.sh LABEL VALUE NODE...
set -eu

label=$1 value=$2
shift 2
for node in "$@"; do
    tries=5
    until said=$(docker node update --label-add "$label=$value" "$node" 2>&1 >/dev/null); do
        tries=$((tries - 1))
        if [ "$tries" = 0 ]; then
            printf '%s\n' "$said" >&2
            exit 1
        fi
        sleep 0.3
    done
done
