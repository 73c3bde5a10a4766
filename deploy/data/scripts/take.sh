# Writes what a command prints to a file of a backup, says how far it is, and checks what it wrote.
#
#   take.sh FOLDER FILE MAGIC STALL_S PACK COMMAND...
#
# MAGIC is what the file must begin with, empty for anything. PACK is "pack" to compress it: with zstd where there is one,
# else gzip, in a way that equal stretches of content mostly become equal stretches of the file. Prints "progress BYTES" lines, then "file NAME", "sha256 SUM" and "size BYTES". The exit status of every
# process counts; on any failure the file is gone.
set -eu

folder=$1 file=$2 magic=$3 stall_s=$4 pack=$5
shift 5

umask 077
cd "$folder"
exec 3<&0  # what runs in the background of a shell reads nothing unless it is told to
if [ "$pack" = pack ]; then
    if command -v zstd >/dev/null; then file=$file.zst; else file=$file.gz; fi
fi
packer=
pid=
finish() {
    for one in $pid $packer; do kill "$one" 2>/dev/null || true; done
    rm -f "$file" "$file.pipe"
}
set -C  # a name that is taken is an error, not something to write over, or to remove
: >"$file"
set +C
trap finish EXIT
trap 'exit 1' HUP INT TERM
case $pack:$file in
    pack:*)
        mkfifo "$file.pipe"
        case $file in
            *.zst) packs='zstd -q -T0 -1 -c' alike='--rsyncable -B1MiB' ;;
            *) packs='gzip -1 -c' alike=--rsyncable ;;
        esac
        # shellcheck disable=SC2086  # a program and its options
        if $packs $alike </dev/null >/dev/null 2>&1; then packs="$packs $alike"; fi
        # shellcheck disable=SC2086  # a program and its options
        $packs <"$file.pipe" >>"$file" &
        packer=$!
        "$@" <&3 >"$file.pipe" &
        ;;
    *) "$@" <&3 >>"$file" & ;;
esac
pid=$!
last=0
looks=0
heard=$(date +%s)
while kill -0 "$pid" 2>/dev/null; do
    if [ "$looks" -lt 20 ]; then sleep 0.1; else sleep 0.5; fi
    looks=$((looks + 1))
    now=$(wc -c <"$file")
    if [ "$now" -ne "$last" ]; then heard=$(date +%s); fi
    last=$now
    printf 'progress %s\n' "$now"
    if [ -n "$(find ../.lock -mmin +1 2>/dev/null)" ]; then
        printf 'whoever asked for this has given no sign of life for a minute\n' >&2
        exit 1
    fi
    if [ "$(date +%s)" -gt $((heard + stall_s)) ]; then
        printf 'no byte came for %s s\n' "$stall_s" >&2
        exit 1
    fi
done
wait "$pid" || {
    status=$?
    pid=
    printf 'what writes %s ended with status %s\n' "$file" "$status" >&2
    exit "$status"
}
pid=
if [ -n "$packer" ]; then
    wait "$packer" || {
        status=$?
        packer=
        printf 'what packs %s ended with status %s\n' "$file" "$status" >&2
        exit "$status"
    }
    packer=
fi

case $pack:$file in
    pack:*.zst) unpacks='zstd -q -dc' ;;
    pack:*) unpacks='gzip -dc' ;;
    *) unpacks='cat' ;;
esac
if [ "$($unpacks 2>/dev/null <"$file" | head -c "${#magic}")" != "$magic" ]; then
    printf 'what was written does not begin like a backup\n' >&2
    exit 1
fi
rm -f "$file.pipe"
sync "$file" 2>/dev/null || sync
printf 'file %s\n' "$file"
printf 'sha256 %s\n' "$(sha256sum "$file" | cut -d ' ' -f 1)"
printf 'size %s\n' "$(wc -c <"$file")"
trap - EXIT
