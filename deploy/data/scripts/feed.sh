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
"$@" <"$pipes/content" || status=$?
if [ "$status" -ne 0 ]; then
    kill "$unpacking" 2>/dev/null || true
    exit "$status"
fi
wait "$unpacking"
