# Works on the volumes of a PostgreSQL server that is upgraded, in a container of its own that has nothing else.
#
#   cluster.sh room IMAGE VOLUME             prints how many kilobytes it has, and how many are free beside them
#   cluster.sh put IMAGE FROM VOLUME         makes VOLUME hold what FROM does, and nothing else
#   cluster.sh list PREFIX                   prints the volumes whose names are PREFIX and a number
#
# IMAGE has a shell. A folder without a PG_VERSION is no server's, and none starts on it: so that file goes first and comes
# last, and whatever `put` is interrupted in cannot be taken for data. It goes on to its end when whoever asked is gone.
set -eu

verb=$1
shift

# shellcheck disable=SC2016  # expanded by the shell in the container
copy='
    whole=no
    for version in /from/PG_VERSION /from/*/PG_VERSION /from/*/*/PG_VERSION; do
        if [ -f "$version" ] && [ -d "${version%/*}/global" ]; then whole=yes; fi
    done
    if [ "$whole" = no ]; then
        printf "what is to be copied is no whole data of a server\n" >&2
        exit 1
    fi
    in=/place/.windlass-incoming
    rm -rf "$in"
    mkdir "$in"
    cp -a /from/. "$in/"
    rm -rf "$in/.windlass-incoming"
    sync
    find /place -mindepth 1 -maxdepth 3 -name PG_VERSION ! -path "$in/*" -exec rm -f {} +
    find /place -mindepth 1 -maxdepth 1 ! -name .windlass-incoming -exec rm -rf {} +
    chown "$(stat -c %u:%g "$in")" /place
    chmod "$(stat -c %a "$in")" /place
    find "$in" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv {} /place/ \;
    sync
    if [ -e "$in/PG_VERSION" ]; then mv "$in/PG_VERSION" /place/; fi
    rmdir "$in"
    sync
'
# shellcheck disable=SC2016  # awk's
measure='du -sk /place | cut -f 1; df -Pk /place | awk "NR == 2 { print \$4 }"'
inside() {
    script=$1 image=$2
    shift 2
    docker run --rm --network none --user 0:0 --entrypoint sh "$@" "$image" -euc "$script"
}
case $verb in
    room) inside "$measure" "$1" --volume "$2:/place:ro" ;;
    put) inside "$copy" "$1" --volume "$2:/from:ro" --volume "$3:/place" ;;
    list)
        docker volume ls --format '{{.Name}}' | while read -r name; do
            case ${name#"$1"} in "$name" | '' | *[!0-9]*) ;; *) printf '%s\n' "$name" ;; esac
        done
        ;;
esac
