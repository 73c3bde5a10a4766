# Lets a release that is no longer live run on for a while. A process that outlives this one then stops it, unless it was
# claimed or is live again, and takes the lasting containers out of its networks.
#
#   keep-warm.sh ROOT RELEASE SECONDS {CONTAINER NETWORK}...
set -eu

root=$1 release=$2 seconds=$3
shift 3

until=$(($(date +%s) + seconds))
printf '%s\n' "$until" >"$root/releases/$release/warm-until"

# shellcheck disable=SC2016  # expanded by the shell that waits
cool='
    set -eu
    root=$1 release=$2 seconds=$3 until=$4
    shift 4
    sleep "$seconds"
    cd "$root"
    exec 8>>busy
    flock 8
    mark=releases/$release/warm-until
    [ "$(cat "$mark" 2>/dev/null)" = "$until" ] || exit 0
    rm -f "$mark"
    [ "$(readlink current)" != "releases/$release" ] || exit 0
    docker compose --file "releases/$release/compose.yaml" stop
    while [ $# -ge 2 ]; do
        docker network disconnect --force "$2" "$1" || true
        shift 2
    done
'
# without the descriptor of the lock that we hold, or it would be held as long as that process waits
setsid sh -c "$cool" keep-warm "$root" "$release" "$seconds" "$until" "$@" 8>&- </dev/null >/dev/null 2>&1 &
