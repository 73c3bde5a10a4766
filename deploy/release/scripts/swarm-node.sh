# Tells how a machine stands to a cluster, a line for each: its state in it, whether it manages, its id, its address there
# and the one it has for us. A manager tells for LABEL which nodes have it, each with its id, its hostname and the value.
#
#   swarm-node.sh [LABEL]
set -eu

label=${1:-}

docker info --format 'state={{.Swarm.LocalNodeState}}
manager={{.Swarm.ControlAvailable}}
node={{.Swarm.NodeID}}
cluster={{with .Swarm.Cluster}}{{.ID}}{{end}}
address={{.Swarm.NodeAddr}}' 2>/dev/null || true
printf 'hostname=%s\n' "$(hostname)"
# the third word is the address at which sshd was reached
# shellcheck disable=SC2086
set -- ${SSH_CONNECTION:-}
printf 'reached=%s\n' "${3:-}"
if [ -z "$label" ] || [ "$(docker info --format '{{.Swarm.ControlAvailable}}' 2>/dev/null)" != true ]; then exit 0; fi
if nodes=$(docker node ls --quiet 2>/dev/null); then
    # a node may be removed meanwhile
    # shellcheck disable=SC2086
    docker node inspect --format "records={{.ID}} {{.Description.Hostname}} {{index .Spec.Labels \"$label\"}}" $nodes 2>/dev/null || true
else
    printf 'headless=yes\n'
fi
