# Appends what comes on standard input to the journal.
#
#   journal.sh ROOT
set -eu

cd "$1"
cat >>journal.jsonl
sync journal.jsonl 2>/dev/null || sync
