# Keeps changes off this project until the note is gone, or takes the note away.
#
#   freeze.sh ROOT     standard input: who, since when and why, a line of JSON; nothing to let changes in again
set -eu

cd "$1"
cat >frozen.new
if [ -s frozen.new ]; then mv frozen.new frozen.json; else rm -f frozen.new frozen.json; fi
