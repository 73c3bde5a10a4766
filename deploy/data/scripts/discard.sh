# Removes what a backup that failed has written.
#
#   discard.sh FOLDER ID
set -eu

cd "$1" 2>/dev/null || exit 0
rm -rf ".$2.partial"
