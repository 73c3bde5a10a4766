# Takes containers out of networks; one that is not there is fine.
#
#   detach.sh {CONTAINER NETWORK}...
set -eu

while [ $# -ge 2 ]; do
    docker network disconnect --force "$2" "$1" 2>/dev/null || true
    shift 2
done
