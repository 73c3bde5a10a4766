# Works on a volume or a folder of this machine, in a container of its own that has nothing else.
#
#   folder.sh IMAGES measure PLACE              prints its bytes, then how many entries it has
#   folder.sh IMAGES pack PLACE                 prints it as a tar
#   folder.sh IMAGES list                       reads a tar to its end and prints how many entries it has
#   folder.sh IMAGES unpack PLACE               fills it from a tar
#   folder.sh IMAGES replace FROM PLACE         makes PLACE hold what FROM does, and nothing else
#
# IMAGES are images that this machine has, in one word: the first with GNU tar is used, else one with another.
set -eu

images=$1 verb=$2
shift 2

image=
tar=
for one in $images; do
    # shellcheck disable=SC2016  # expanded by the shell in the container
    said=$(docker run --rm --network none --entrypoint sh "$one" -c 'tar --version 2>&1 | head -n 1' 2>/dev/null) || continue
    case $said in
        *GNU*) image=$one tar=$said && break ;;
        *tar*) image=${image:-$one} ;;
    esac
done
if [ -z "$image" ]; then
    printf 'none of the images here has a shell and tar: %s\n' "$images" >&2
    exit 1
fi
inside() {
    script=$1
    shift
    exec docker run --rm --interactive --network none --user 0:0 --entrypoint sh "$@" "$image" -euc "$script"
}
case $verb in
    measure) inside 'du -sk /place | cut -f 1; find /place -mindepth 1 | wc -l' --volume "$1:/place:ro" ;;
    pack)
        # GNU tar: 1 says that a file changed as it was read, which those of a running application may
        case $tar in
            # in an order that stays: an archive then is like the one before it
            *GNU*) inside 'tar -C /place --sort=name -cpf - . || [ $? -eq 1 ]' --volume "$1:/place:ro" ;;
            *) inside 'tar -C /place -cpf - .' --volume "$1:/place:ro" ;;
        esac
        ;;
    list) inside 'tar -tf - | wc -l' ;;
    unpack) inside 'tar -C /place --numeric-owner -xpf -; find /place -mindepth 1 | wc -l' --volume "$1:/place" ;;
    replace)
        inside 'find /place -mindepth 1 -delete; cp -a /from/. /place/; find /place -mindepth 1 | wc -l' \
            --volume "$1:/from:ro" --volume "$2:/place"
        ;;
esac
