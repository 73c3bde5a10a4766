# Encrypts a file of a backup that is being written, in its place.
#
#   encrypt.sh FOLDER FILE IMAGE RECIPIENT...
#
# IMAGE has age. Prints "file NAME", "sha256 SUM" and "size BYTES" of what there is then; on any failure only FILE is there.
# Files are mounted, not piped: what passes through an engine's own streams does so at a twentieth of the speed.
set -eu

folder=$1 file=$2 image=$3
shift 3

umask 077
cd "$folder"
for recipient; do
    shift
    set -- "$@" --recipient "$recipient"
done
trap 'rm -f "$file.age"' EXIT
docker run --rm --network none --user "$(id -u):$(id -g)" --volume "$folder:/backup" "$image" \
    --encrypt "$@" --output "/backup/$file.age" "/backup/$file"
chmod 600 "$file.age"
sync "$file.age" 2>/dev/null || sync
rm "$file"
trap - EXIT
printf 'file %s\n' "$file.age"
printf 'sha256 %s\n' "$(sha256sum "$file.age" | cut -d ' ' -f 1)"
printf 'size %s\n' "$(wc -c <"$file.age")"
