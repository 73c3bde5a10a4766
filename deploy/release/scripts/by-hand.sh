# Works on the containers of a stack that was started by hand.
#
#   by-hand.sh stop|start|rest CONTAINER...       rest: they do not start with the engine any more
#   by-hand.sh lend|return {CONTAINER OURS}...    lend: OURS takes the place of CONTAINER in its networks, by its names there
set -eu

verb=$1
shift

networks() { docker container inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{println $name}}{{end}}' "$1"; }
aliases() {
    # what the engine adds itself, the container's short id, is no name
    docker container inspect --format "{{range (index .NetworkSettings.Networks \"$2\").Aliases}}{{println .}}{{end}}" "$1" |
        grep -vE '^[0-9a-f]{12}$' || true
}

case $verb in
    stop) [ $# -eq 0 ] || docker stop "$@" >/dev/null ;;
    start) [ $# -eq 0 ] || docker start "$@" >/dev/null ;;
    rest) [ $# -eq 0 ] || docker update --restart no "$@" >/dev/null ;;
    lend)
        while [ $# -ge 2 ]; do
            there=$(networks "$2")
            for network in $(networks "$1"); do
                if printf '%s\n' "$there" | grep -qxF -- "$network"; then continue; fi
                names=
                for alias in $(aliases "$1" "$network"); do names="$names --alias $alias"; done
                # shellcheck disable=SC2086  # a list of options; names hold no spaces
                docker network connect $names "$network" "$2"
            done
            shift 2
        done
        ;;
    return)
        while [ $# -ge 2 ]; do
            for network in $(networks "$1"); do
                docker network disconnect --force "$network" "$2" 2>/dev/null || true
            done
            shift 2
        done
        ;;
esac
