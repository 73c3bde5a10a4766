# Prints the SHA-256 of a backup's file as it is.
#
#   sum.sh FOLDER FILE
set -eu

cd "$1"
sha256sum <"$2" | cut -d ' ' -f 1
