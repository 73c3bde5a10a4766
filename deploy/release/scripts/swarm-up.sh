# Deploys a stack from a folder, as it was written there.
#
#   swarm-up.sh FOLDER STACK
#
# What the document no longer has is removed. Waiting is for others: this ends when the cluster knows what is wanted.
set -eu

cd "$1"
docker stack deploy --prune --resolve-image never --compose-file stack.json "$2"
