# Tells how a machine stands to a cluster, a line for each: its state in it, whether it manages, its id, its address there
# and the one it has for us.
#
#   swarm-node.sh
set -eu

docker info --format 'state={{.Swarm.LocalNodeState}}
manager={{.Swarm.ControlAvailable}}
node={{.Swarm.NodeID}}
cluster={{with .Swarm.Cluster}}{{.ID}}{{end}}
address={{.Swarm.NodeAddr}}'
printf 'hostname=%s\n' "$(hostname)"
# the third word is the address at which sshd was reached
# shellcheck disable=SC2086
set -- ${SSH_CONNECTION:-}
printf 'reached=%s\n' "${3:-}"
