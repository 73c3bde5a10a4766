# Prints what is in a backup folder that never became a backup: a line "BYTES NAME" for each.
#
#   unfinished.sh FOLDER
set -eu

cd "$1" 2>/dev/null || exit 0
for one in .*.partial; do
    [ -d "$one" ] || continue
    printf '%s %s\n' "$(($(du -sk "$one" | cut -f 1) * 1024))" "$one"
done
