# Gives a dump its final name, then writes its manifest, which makes it a backup.
#
#   commit.sh FOLDER NAME      the manifest comes on standard input
set -eu

cd "$1"
umask 077
cat >"$2.json.partial"
sync "$2.json.partial" 2>/dev/null || sync
if [ -e "$2.dump" ] || [ -e "$2.json" ]; then
    printf '%s exists already\n' "$2" >&2
    exit 1
fi
mv "$2.dump.partial" "$2.dump"
mv "$2.json.partial" "$2.json"
sync . 2>/dev/null || sync
