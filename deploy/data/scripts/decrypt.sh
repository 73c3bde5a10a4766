# Decrypts files of a backup into a folder beside it, for as long as a drill or a restore needs them.
#
#   decrypt.sh FOLDER ID IMAGE FILE...      the identity comes on standard input, and is written nowhere
#   decrypt.sh FOLDER ID                    removes what was decrypted
#
# The folder is FOLDER/.ID.decrypted. IMAGE has age.
set -eu

folder=$1 id=$2
shift 2

umask 077
cd "$folder"
rm -rf ".$id.decrypted"
[ $# -gt 0 ] || exit 0
image=$1
shift
needed=$(for file; do wc -c <"$id/$file"; done | awk '{ sum += $1 } END { print sum }')
free=$(df -Pk . | awk 'NR == 2 { print $4 * 1024 }')
if [ "$free" -lt "$needed" ]; then
    printf '%s bytes are free in %s, %s are needed to decrypt\n' "$free" "$folder" "$needed" >&2
    exit 1
fi
identity=$(cat)
mkdir ".$id.decrypted"
trap 'rm -rf ".$id.decrypted"' EXIT
trap 'exit 1' HUP INT TERM
for file; do
    printf '%s\n' "$identity" |
        docker run --rm --interactive --network none --user "$(id -u):$(id -g)" --volume "$folder/$id:/backup:ro" \
            --volume "$folder/.$id.decrypted:/decrypted" "$image" \
            --decrypt --identity - --output "/decrypted/${file%.age}" "/backup/$file"
done
trap - EXIT
