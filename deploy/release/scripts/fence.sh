# Replaces the token that a guarded step must carry to begin.
#
#   fence.sh ROOT TOKEN [BEFORE]
#
# With BEFORE, only where that is the token now. Status 77: it is another.
set -eu

cd "$1"
exec 7>>fence.lock
flock 7
if [ $# -gt 2 ] && [ "$3" != "$(cat fence 2>/dev/null)" ]; then
    printf 'another change has taken over\n' >&2
    exit 77
fi
printf '%s\n' "$2" >fence.new
mv fence.new fence
