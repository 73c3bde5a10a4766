# Deploys a stack whose document and files come as a tar on standard input, and leaves none of them on the disk.
#
#   swarm-stack.sh NAME
set -eu

folder=$(umask 077 && mktemp -d)
trap 'rm -rf "$folder"' EXIT
tar -x -f - -C "$folder"
cd "$folder"
docker stack deploy --prune --resolve-image never --compose-file stack.json "$1"
