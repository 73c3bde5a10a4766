# Tells which version's data PostgreSQL services have, and which version's server is in the images they are to run.
#
#   majors.sh PROJECTS {SERVICE VOLUME TARGET IMAGE}...
#
# PROJECTS, comma-separated, are those whose containers are looked at: what one of them mounts at TARGET, or where images keep
# their data, counts, and VOLUME where there is none yet. Prints "SERVICE DATA IMAGE VOLUME" with tabs between, "-" for what is not there or not known. Reads only.
set -eu

projects=$1
shift

is_there() {
    case $1 in
        '') return 1 ;;
        /*) return 0 ;;  # whether a folder is there, the engine says when it mounts it
        *) docker volume inspect "$1" >/dev/null 2>&1 ;;
    esac
}
# `docker run --volume` would make a folder that is not there
mounted() {
    case $1 in
        /*) printf 'type=bind,source=%s,target=/place,readonly' "$1" ;;
        *) printf 'type=volume,source=%s,target=/place,readonly' "$1" ;;
    esac
}
# The folder's own version, not those of its databases, which are further down.
# shellcheck disable=SC2016  # expanded by the shell in the container
look='
    for depth in 1 2 3; do
        file=$(find /place -mindepth "$depth" -maxdepth "$depth" -name PG_VERSION -type f | head -n 1)
        if [ -n "$file" ]; then cat "$file"; exit; fi
    done
'
while [ $# -ge 4 ]; do
    service=$1 volume=$2 target=$3 image=$4
    shift 4
    tool=$image
    for project in $(printf '%s' "$projects" | tr ',' ' '); do
        container=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$project" \
            --filter "label=com.docker.compose.service=$service" --filter label=com.docker.compose.oneoff=False | head -n 1)
        if [ -n "$container" ]; then
            # shellcheck disable=SC2016  # the engine's variables, not the shell's
            found=$(docker container inspect --format '{{range .Mounts}}{{printf "%s %s\n" .Destination (or .Name .Source)}}{{end}}' "$container" |
                awk -v target="$target" '$1 == target { exact = $2 } $1 ~ "^/(var/lib|bitnami)/postgresql" { usual = $2 }
                    END { print exact ? exact : usual }')
            volume=${found:-$volume}
            tool=$(docker container inspect --format '{{.Image}}' "$container")
            break
        fi
    done
    data=
    if is_there "$volume" && docker image inspect "$tool" >/dev/null 2>&1; then
        data=$(docker run --rm --network none --user 0:0 --entrypoint sh --mount "$(mounted "$volume")" "$tool" -euc "$look" 2>/dev/null) || data=
    fi
    major=
    if docker image inspect "$image" >/dev/null 2>&1; then
        major=$(docker image inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$image" | sed -n 's/^PG_MAJOR=\([0-9]*\).*/\1/p')
        if [ -z "$major" ]; then
            major=$(docker run --rm --network none --entrypoint postgres "$image" --version 2>/dev/null |
                sed -n 's/^postgres (PostgreSQL) \([0-9]*\).*/\1/p') || major=
        fi
    fi
    printf '%s\t%s\t%s\t%s\n' "$service" "${data:--}" "${major:--}" "${volume:--}"
done
