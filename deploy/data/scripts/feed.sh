# Runs a command with a file of a backup folder as its standard input.
#
#   feed.sh FOLDER FILE COMMAND...
set -eu

cd "$1"
file=$2
shift 2
exec "$@" <"$file"
