# Prints every manifest of a backup folder, each after a line "@@NAME SIZE_OF_ITS_DUMP".
#
#   list.sh FOLDER
set -eu

cd "$1" 2>/dev/null || exit 0
for manifest in *.json; do
    [ -f "$manifest" ] || continue
    name=${manifest%.json}
    size=missing
    [ -f "$name.dump" ] && size=$(wc -c <"$name.dump")
    printf '@@%s %s\n' "$name" "$size"
    cat "$manifest"
done
