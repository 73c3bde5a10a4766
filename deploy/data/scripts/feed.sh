# Runs a command with a file of a backup as its standard input, unpacked where it is packed.
#
#   feed.sh FOLDER FILE COMMAND...
#
# The exit status of both processes counts.
set -eu

cd "$1"
file=$2
shift 2
case $file in
    *.zst) unpack='zstd -q -dc' ;;
    *.gz) unpack='gzip -dc' ;;
    *) exec "$@" <"$file" ;;
esac
pipes=$(mktemp -d)
trap 'rm -rf "$pipes"' EXIT
mkfifo "$pipes/content"
# shellcheck disable=SC2086  # a program and its options
$unpack <"$file" >"$pipes/content" &
unpacking=$!
status=0
exec 3<"$pipes/content"
"$@" <&3 3<&- || status=$?
if [ "$status" -ne 0 ]; then
    kill "$unpacking" 2>/dev/null || true
    exit "$status"
fi
cat <&3 >/dev/null  # what the command had no need of: what unpacks it would fail for want of a reader
wait "$unpacking"
