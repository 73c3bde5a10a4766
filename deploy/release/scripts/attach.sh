# Puts running containers into networks, under names that services there know them by. What is there already stays.
#
#   attach.sh {CONTAINER NETWORK ALIASES}...      ALIASES: comma-separated, or empty
set -eu

is_in() {
    docker container inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{println $name}}{{end}}' "$1" |
        grep -qxF -- "$2"
}

while [ $# -ge 3 ]; do
    aliases=
    for alias in $(printf '%s' "$3" | tr ',' ' '); do
        aliases="$aliases --alias $alias"
    done
    # shellcheck disable=SC2086  # a list of options; service names hold no spaces
    complaint=$(docker network connect $aliases "$2" "$1" 2>&1) || is_in "$1" "$2" || {
        printf '%s\n' "$complaint" >&2
        exit 1
    }
    shift 3
done
