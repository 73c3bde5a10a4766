# Prints every manifest of a backup folder after a line "@@manifest ID", then what has become of it: the sizes of its files
# after "@@files ID" and the drills it went through after "@@proofs ID".
#
#   list.sh FOLDER
set -eu

cd "$1" 2>/dev/null || exit 0
for manifest in */manifest.json; do
    [ -f "$manifest" ] || continue
    id=${manifest%/manifest.json}
    printf '\n@@manifest %s\n' "$id"
    cat "$manifest"
    printf '\n@@files %s\n' "$id"
    for file in "$id"/*; do printf '%s %s\n' "$(wc -c <"$file")" "${file#"$id"/}"; done
    printf '@@proofs %s\n' "$id"
    cat "$id/proofs.jsonl" 2>/dev/null || true
done
