# Brings images of this engine into the cluster's registry, and prints for each its name and the reference by digest.
#
# One that the engine does not know by its name it may have by the reference by which the cluster runs it; else it is taken from
# the registry: another manager has brought it there. Is it in none, nothing is printed for it.
#
#   swarm-push.sh REGISTRY IMAGE[=REFERENCE]...
#
# Each push leaves a mark in the cluster while it goes on, and waits where the registry is just being cleared: see
# swarm-images.sh, which looks for these marks. A worker can leave none.
set -eu

registry=$1
mark=windlass-registry.push.$(hostname | cut -c 1-24).$$
shift
manages=$(docker info --format '{{.Swarm.ControlAvailable}}')
trap 'docker config rm "$mark" >/dev/null 2>&1 || true' EXIT
for word in "$@"; do
    image=${word%%=*} known=${word#"${word%%=*}"}
    known=${known#=}
    # a digest in a name is of another registry, and so is a port
    name=${image%@*}
    last=${name##*/}
    folder=$(printf '%s' "${name%"$last"}" | tr ':' '-')
    repository=$registry/$folder${last%%:*}
    case $last in
        *:*) there=$repository:${last#*:} ;;
        *) there=$repository:latest ;;
    esac
    if ! docker image inspect "$image" >/dev/null 2>&1; then
        if [ -n "$known" ] && docker tag "$known" "$image" 2>/dev/null; then
            :
        else
            docker pull --quiet "$there" >/dev/null 2>&1 || continue
            docker tag "$there" "$image"
        fi
    fi
    docker tag "$image" "$there"
    if [ "$manages" = true ]; then
        printf 'a push goes on\n' | docker config create --label "windlass.at=$(date +%s)" "$mark" - >/dev/null
        for _ in $(seq 900); do
            if ! docker config inspect windlass-registry.clearing >/dev/null 2>&1; then break; fi
            sleep 1
        done
    fi
    docker push --quiet "$there" >/dev/null
    if [ "$manages" = true ]; then docker config rm "$mark" >/dev/null; fi
    docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$there" |
        awk -v image="$image" -v start="$repository@" 'index($0, start) == 1 { print image " " $0; exit }'
done
