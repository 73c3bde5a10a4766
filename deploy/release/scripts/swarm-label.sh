# Sets a label of nodes, to the same value.
#
#   swarm-label.sh LABEL VALUE NODE...
set -eu

label=$1 value=$2
shift 2
for node in "$@"; do docker node update --label-add "$label=$value" "$node" >/dev/null; done
