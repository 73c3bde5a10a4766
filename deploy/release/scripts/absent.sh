# Prints which of what a stack takes to be on the host is not there. Reads only.
#
#   absent.sh ROOT {path|volume|network|kept NAME}...
#
# Lines of "WHAT NAME". A `kept` NAME is told when it is there: data under ROOT/shared that a release would put out of sight.
set -eu

root=$1
shift

is_there() {
    case $1 in
        path) [ -e "$2" ] || sudo -n test -e "$2" 2>/dev/null ;;
        volume) docker volume inspect "$2" >/dev/null 2>&1 ;;
        network) docker network inspect "$2" >/dev/null 2>&1 ;;
        kept) [ -z "$(find "$root/shared/$2" -mindepth 1 -print -quit 2>/dev/null)" ] ;;
    esac
}

while [ $# -ge 2 ]; do
    is_there "$1" "$2" || printf '%s %s\n' "$1" "$2"
    shift 2
done
