# Restores a dump that comes on standard input by several processes at once, which need it as a file.
#
#   restore-jobs.sh BYTES DATABASE        in the server's container; BYTES is the size of the dump, DATABASE as --dbname has it
#
# Ends with status 75, and has read nothing, where there is one processor or little room.
set -eu

bytes=$1 database=$2
jobs=$(nproc)
if [ "$jobs" -gt 4 ]; then jobs=4; fi
free=$(df -Pk /tmp | awk 'NR == 2 { print $4 }')
# the disk may be that of the server, which must never be full
if [ "$jobs" -lt 2 ] || [ "$free" -lt $((bytes * 10 / 1024)) ]; then exit 75; fi
umask 077
file=$(mktemp)
trap 'rm -f "$file"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$file"
if [ "$(wc -c <"$file")" -ne "$bytes" ]; then
    echo 'the dump did not come as a whole' >&2
    exit 1
fi
pg_restore --exit-on-error --no-password --jobs "$jobs" --dbname "$database" "$file"
