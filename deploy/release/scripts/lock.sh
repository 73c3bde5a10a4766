# Holds the project's lock for as long as somebody at the other end is alive, runs a command under it, and keeps the journal.
#
#   lock.sh ROOT OWNER COMMAND...       OWNER is a line of JSON that says who holds the lock
#
# The kernel's lock dies with this process, and this process dies when its standard input ends or stays silent: a client
# that is killed or cut off leaves nothing behind to remove by hand. Status 75: somebody else holds it; what is printed
# then is the seconds since its last sign of life, and its OWNER.
#
# Prints "locked" and what COMMAND prints; then every line of JSON that is read is added to the journal and answered with
# "written", and any other line is a sign of life.
set -eu

root=$1
owner=$2
silence_s=45
shift 2

exec 9>>"$root/lock"
if ! flock -n 9; then
    printf '%s\n' "$(($(date +%s) - $(stat -c %Y "$root/lock.json" 2>/dev/null || date +%s)))"
    cat "$root/lock.json" 2>/dev/null || printf '{}\n'
    exit 75
fi
printf '%s\n' "$owner" >"$root/lock.json.new"
mv "$root/lock.json.new" "$root/lock.json"
printf 'locked\n'
"$@" 9>&- </dev/null
# the shell's own `read` takes no byte beyond the line, as `head` would
# shellcheck disable=SC2016  # expanded by the inner shell
while line=$(timeout "$silence_s" sh -c 'IFS= read -r line && printf "%s\n" "$line"') && [ -n "$line" ]; do
    touch "$root/lock.json"
    case $line in
        '{'*)
            printf '%s\n' "$line" >>"$root/journal.jsonl"
            sync "$root/journal.jsonl" 2>/dev/null || sync
            printf 'written\n'
            ;;
    esac
done
rm -f "$root/lock.json"
