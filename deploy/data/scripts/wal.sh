# Looks into WAL and into copies of a server's files, by the programs of the server's own image.
#
#   wal.sh base IMAGE                     standard input: a base backup's tar. Reads it to its end; prints how many entries it
#                                         has and the segment that recovery begins with
#   wal.sh last IMAGE FOLDER SEGMENT...   prints when the last transaction in these segments ended, newest segment first: UTC
set -eu

verb=$1 image=$2
shift 2

inside() {
    script=$1
    shift
    exec docker run --rm --interactive --network none --user 0:0 --entrypoint sh "$@" "$image" -euc "$script"
}
case $verb in
    base)
        inside '
            mkfifo /tmp/pipe
            tar -xOf - backup_label </tmp/pipe >/tmp/label &
            tee /tmp/pipe | tar -tf - >/tmp/list
            wait $!
            grep -qx backup_manifest /tmp/list || { echo "it has no backup_manifest: it is not whole" >&2; exit 1; }
            wc -l </tmp/list
            sed -n "s/^START WAL LOCATION: .* (file \([0-9A-F]*\))$/\1/p" /tmp/label
        '
        ;;
    last)
        folder=$1
        shift
        # shellcheck disable=SC2016  # expanded by the shell in the container
        printf '%s\n' "$@" | inside '
            while read -r name; do
                cp "/archive/$name" "/tmp/${name%.partial}"
                # the last record may go on in a segment that is not there, and what is being received has an end
                found=$(TZ=UTC pg_waldump --rmgr=Transaction "/tmp/${name%.partial}" 2>/dev/null |
                    sed -n "s/.* desc: \(COMMIT\|ABORT\)[^;]* \([0-9-]* [0-9:.]*\) UTC.*/\2/p" | tail -n 1) || true
                rm "/tmp/${name%.partial}"
                if [ -n "$found" ]; then printf "%s\n" "$found"; exit 0; fi
            done
        ' --volume "$folder:/archive:ro"
        ;;
esac
