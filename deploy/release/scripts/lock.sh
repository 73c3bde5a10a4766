# Holds the project's lock for as long as somebody at the other end is alive.
#
#   lock.sh ROOT OWNER       OWNER is a line of JSON that says who holds the lock
#
# The kernel's lock dies with this process, and this process dies when its standard input ends or stays silent: a client
# that is killed or cut off leaves nothing behind to remove by hand. Status 75: somebody else holds it; what is printed
# then is the seconds since its last sign of life, and its OWNER.
set -eu

root=$1
owner=$2
silence_s=45

exec 9>>"$root/lock"
if ! flock -n 9; then
    printf '%s\n' "$(($(date +%s) - $(stat -c %Y "$root/lock.json" 2>/dev/null || date +%s)))"
    cat "$root/lock.json" 2>/dev/null || printf '{}\n'
    exit 75
fi
printf '%s\n' "$owner" >"$root/lock.json.new"
mv "$root/lock.json.new" "$root/lock.json"
printf 'locked\n'
while beat=$(timeout "$silence_s" head -n 1) && [ -n "$beat" ]; do touch "$root/lock.json"; done
rm -f "$root/lock.json"
