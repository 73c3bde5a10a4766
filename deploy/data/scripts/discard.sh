# Removes what a backup that failed has written.
#
#   discard.sh FOLDER NAME
set -eu

cd "$1" 2>/dev/null || exit 0
rm -f "$2.dump.partial" "$2.json.partial"
