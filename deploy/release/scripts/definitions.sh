# Prints what the live release and the data services are made of, for a plan to compare. Reads only.
#
#   definitions.sh ROOT RELEASE LONGEST_BYTES {release|data PATH}...
#
# Lines of "release BASE64", "data BASE64" (the compose documents), "stack BASE64" (what a cluster has in place of the latter),
# and "file BASE64 PATH" for each file at a PATH of the project; a "-" stands for a file that is longer than LONGEST_BYTES;
# "changed PATH" for what is not as it was staged.
set -eu

root=$1 release=$2 longest=$3
shift 3

print() { if [ -r "$2" ]; then printf '%s %s\n' "$1" "$(base64 -w 0 "$2")"; fi; }
print release "$root/releases/$release/compose.yaml"
print data "$root/data/compose.yaml"
print stack "$root/data/stack.json"
for folder in "$root/releases/$release" "$root/data"; do
    if [ -f "$folder/manifest.sha256" ]; then
        (cd "$folder" && LC_ALL=C sha256sum --check manifest.sha256 2>/dev/null | sed -n "s|^\./\(.*\): FAILED.*\$|changed $folder/\1|p") || true
    fi
done
while [ $# -ge 2 ]; do
    folder=$root/data
    [ "$1" = data ] || folder=$root/releases/$release
    if [ -e "$folder/files/$2" ]; then
        find "$folder/files/$2" -type f | while read -r file; do
            content=-
            if [ "$(wc -c <"$file")" -le "$longest" ]; then content=$(base64 -w 0 "$file"); fi
            printf 'file %s %s\n' "$content" "${file#"$folder/files/"}"
        done
    fi
    shift 2
done
