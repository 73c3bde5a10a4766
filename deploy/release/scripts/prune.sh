# Removes releases that are no longer kept: containers, networks, folders, and the images that no kept release runs.
# Prints "free KB" at its end: how much of the engine's disk is free then.
#
#   prune.sh ROOT RELEASE... -- IMAGE...
set -eu

root=$1
shift

cd "$root"
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    if [ -f "releases/$1/compose.yaml" ]; then
        # its volumes without a name are its own; named ones are external to it and stay
        docker compose --file "releases/$1/compose.yaml" down --volumes --remove-orphans --timeout 10
    fi
    rm -rf "releases/$1"
    printf 'removed release %s\n' "$1"
    shift
done
[ $# -gt 0 ] && shift
for image in "$@"; do
    docker image rm "$image" >/dev/null 2>&1 || true
done
folder=$(docker info --format '{{.DockerRootDir}}')
df -Pk "$folder" 2>/dev/null | awk 'NR == 2 { printf "free %s\n", $4 }'
