# Works on the WAL that receivers have written, below a folder: SERVICE/CHAIN/SEGMENT.
#
#   archive.sh list FOLDER                                  prints "BYTES SERVICE/CHAIN/SEGMENT" for each
#   archive.sh wait FOLDER SERVICE SYSTEM NAME TIMEOUT_S    waits until a whole segment of a server is there; prints its chain
#   archive.sh remove FOLDER                                removes what standard input names, a SERVICE/CHAIN/SEGMENT a line
set -eu

verb=$1 folder=$2
shift 2

cd "$folder" 2>/dev/null || exit 0
case $verb in
    list) find . -mindepth 3 -maxdepth 3 -type f -exec stat -c '%s %n' {} + | sed 's| \./| |' ;;
    wait)
        service=$1 system=$2 name=$3 until=$(($(date +%s) + $4))
        while :; do
            found=$(find "$service" -mindepth 2 -maxdepth 2 -path "$service/$system-*/$name" | sort | tail -n 1)
            if [ -n "$found" ]; then
                basename "$(dirname "$found")"
                exit 0
            fi
            if [ "$(date +%s)" -ge "$until" ]; then exit 1; fi
            sleep 0.2
        done
        ;;
    remove)
        while IFS= read -r path; do rm -f "$path"; done
        # a chain of which nothing is left
        find . -mindepth 2 -maxdepth 2 -type d -exec rmdir {} + 2>/dev/null || true
        ;;
esac
