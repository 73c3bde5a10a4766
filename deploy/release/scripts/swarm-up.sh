# Deploys one of a release's stacks, as it was staged.
#
#   swarm-up.sh ROOT RELEASE PART STACK
#
# What the document no longer has is removed. Waiting is for others: this ends when the cluster knows what is wanted.
set -eu

cd "$1/releases/$2/swarm/$3"
docker stack deploy --prune --resolve-image never --compose-file stack.json "$4"
