# Takes a stream of images into the engine. What has arrived is kept until all has, so that a cut stream goes on later.
#
#   receive.sh FOLDER NAME IMAGES {IMAGE DIGEST}...      IMAGES: what the stream brings, comma-separated
#
# With any IMAGE, the stream has deltas against layers of these: DIGEST is the hexadecimal part of such a layer's diff id.
# They are laid out while the stream arrives.
#
# Prints how many bytes of the stream NAME are here already and their SHA-256; reads a line with the number of them to
# keep, then the rest of the stream to its end. Other streams that were cut are given up. Then prints what the engine says
# of each image.
set -eu

folder=$1 name=$2 images=$3
shift 3
spool=$folder/$name.stream bases=$folder/bases

mkdir -p "$folder"
chmod 0700 "$folder"
for other in "$folder"/*.stream; do
    [ "$other" = "$spool" ] || rm -f -- "$other"
done
touch "$spool"
printf '%s %s\n' "$(wc -c <"$spool")" "$(sha256sum <"$spool" | cut -d' ' -f1)"
read -r keep
truncate -s "$keep" "$spool"

lay_out() {
    while [ $# -ge 2 ]; do
        image=$1 wanted=
        while [ $# -ge 2 ] && [ "$1" = "$image" ]; do
            wanted="$wanted blobs/sha256/$2"
            shift 2
        done
        # shellcheck disable=SC2086  # a list of names without spaces; one that is not there makes its delta fail
        docker save "$image" | tar -x -f - -C "$bases" --strip-components=2 $wanted
    done
    : >"$bases/complete"
}
base() {
    until [ -e "$bases/complete" ]; do sleep 0.05; done
    printf '%s' "$bases/$1"
}

# The frames of a stream with deltas, each after its line; `read` takes no byte more than the line.
unfold() {
    while read -r frame size base; do
        case $frame in
            plain) head -c "$size" | zstd -dcq ;;
            delta) head -c "$size" | zstd -dcq --long=31 --patch-from="$(base "$base")" ;;
        esac
    done
}
arriving() { cat "$spool"; tee -a "$spool"; }
# An engine before 23.0 cannot read zstd by itself, and the tool is quicker than any.
inflate() { if command -v zstd >/dev/null; then zstd -dcq; else cat; fi; }

rm -rf -- "$bases"
if [ $# -gt 0 ]; then
    mkdir "$bases"
    { lay_out "$@" || : >"$bases/complete"; } </dev/null >/dev/null 2>&1 8>&- &  # 8: the guard, not to be held beyond this
    arriving | unfold | docker load --quiet >&2
else
    arriving | inflate | docker load --quiet >&2
fi
rm -rf -- "$spool" "$bases"
IFS=,
# shellcheck disable=SC2086  # a list of names
docker image inspect --format '{{json .}}' $images
