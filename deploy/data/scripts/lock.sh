# Keeps others from writing to a backup folder for as long as standard input is open.
#
#   lock.sh FOLDER WHO      prints "locked"; status 75 and who holds it when somebody else does
set -eu

umask 077
mkdir -p "$1"
cd "$1"
if command -v flock >/dev/null; then
    exec 9>>.lock
    if ! flock -n 9; then
        cat .lock >&2
        exit 75
    fi
    printf '%s\n' "$2" >.lock
fi
printf 'locked\n'
exec cat >/dev/null
