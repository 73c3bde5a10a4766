# Writes a backup's manifest and gives its folder the final name, which makes it a backup.
#
#   commit.sh FOLDER ID      the manifest comes on standard input
set -eu

cd "$1"
umask 077
cat >".$2.partial/manifest.json"
sync ".$2.partial/manifest.json" ".$2.partial" 2>/dev/null || sync
if [ -e "$2" ]; then
    printf '%s exists already\n' "$2" >&2
    exit 1
fi
mv ".$2.partial" "$2"
sync . 2>/dev/null || sync
