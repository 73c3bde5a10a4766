# Prints a backup's file as it is.
#
#   read.sh FOLDER FILE
set -eu

cd "$1"
exec cat "$2"
