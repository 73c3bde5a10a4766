# Gives images a second name, with their own id in it, and prints it: a line for each.
#
#   pin.sh PROJECT {SERVICE IMAGE}...
set -eu

project=$1
shift

while [ $# -ge 2 ]; do
    id=$(docker image inspect --format '{{.Id}}' "$2")
    pinned=$project/$1:$(printf '%.16s' "${id#sha256:}")
    docker tag "$id" "$pinned"
    printf '%s\n' "$pinned"
    shift 2
done
