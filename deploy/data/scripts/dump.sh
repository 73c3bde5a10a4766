# Writes a dump under a temporary name, says how far it is, and checks what it wrote.
#
#   dump.sh FOLDER NAME EXPECTED_BYTES STALL_S COMMAND...      COMMAND writes the dump to standard output
#
# Prints "progress BYTES" lines, then "sha256 SUM" and "size BYTES". On any failure the temporary file is gone.
set -eu

folder=$1 name=$2 expected=$3 stall_s=$4
shift 4

umask 077
mkdir -p "$folder"
cd "$folder"
partial=$name.dump.partial
pid=
finish() { [ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -f "$partial"; }
trap finish EXIT
trap 'exit 1' HUP INT TERM

# what a run that was killed has left; a day is longer than any dump takes
find . -maxdepth 1 -name '*.partial' -mmin +1440 -delete

free=$(df -Pk . | awk 'NR == 2 { print $4 * 1024 }')
if [ "$free" -lt "$expected" ]; then
    printf '%s bytes are free in %s, about %s are needed\n' "$free" "$folder" "$expected" >&2
    exit 1
fi

set -C  # a name that is taken is an error, not something to write over
: >"$partial"
set +C
"$@" >>"$partial" &
pid=$!
last=0
silent=0
while kill -0 "$pid" 2>/dev/null; do
    sleep 0.5
    now=$(wc -c <"$partial")
    if [ "$now" -eq "$last" ]; then silent=$((silent + 1)); else silent=0; fi
    last=$now
    printf 'progress %s\n' "$now"
    if [ "$silent" -gt $((stall_s * 2)) ]; then
        printf 'no byte came for %s s\n' "$stall_s" >&2
        exit 1
    fi
done
wait "$pid" || { status=$?; pid=; exit "$status"; }
pid=

if [ "$(head -c 5 "$partial")" != PGDMP ]; then
    printf 'what pg_dump wrote does not begin like a dump\n' >&2
    exit 1
fi
sync "$partial" 2>/dev/null || sync
printf 'sha256 %s\n' "$(sha256sum "$partial" | cut -d ' ' -f 1)"
printf 'size %s\n' "$(wc -c <"$partial")"
trap - EXIT
