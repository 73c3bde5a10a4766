# Removes backups, each at once: what is half gone has no manifest any more and is none.
#
#   remove.sh FOLDER ID...
set -eu

cd "$1"
shift
for id; do
    mv "$id" ".$id.partial"
    rm -rf ".$id.partial"
done
