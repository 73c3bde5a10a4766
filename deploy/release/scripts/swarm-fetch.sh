# Has an engine have images by the names that releases give them, from the cluster's registry.
#
#   swarm-fetch.sh {IMAGE REFERENCE}...
set -eu

while [ $# -ge 2 ]; do
    if ! docker image inspect "$1" >/dev/null 2>&1; then
        docker pull --quiet "$2" >/dev/null
        docker tag "$2" "$1"
    fi
    shift 2
done
