# Keeps others from writing to a backup folder for as long as somebody at the other end is alive.
#
#   lock.sh FOLDER WHO      prints "locked"; status 75 and who holds it when somebody else does
#
# Every line of standard input is a sign of life, which shows in the age of FOLDER/.lock. Without one for 45 s, as when a
# connection is cut, or when standard input ends, the lock does.
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
fi
printf '%s\n' "$2" >.lock
printf 'locked\n'
# the shell's own `read` takes no byte beyond the line, as `head` would
# shellcheck disable=SC2016  # expanded by the inner shell
if command -v timeout >/dev/null; then
    while timeout 45 sh -c 'IFS= read -r line && [ -n "$line" ]' 9>&-; do touch .lock; done
else
    while IFS= read -r _; do touch .lock; done
fi
