# Brings images of this engine into the cluster's registry, and prints for each its name and the reference by digest.
#
# One that the engine lacks is taken from the registry: another manager has brought it there. Is it in neither, nothing is
# printed for it.
#
#   swarm-push.sh REGISTRY IMAGE...
#
# Each push leaves a mark in the cluster while it goes on, and waits where the registry is just being cleared: see
# swarm-images.sh, which looks for these marks.
set -eu

registry=$1
mark=windlass-registry.push.$(hostname | cut -c 1-24).$$
shift
trap 'docker config rm "$mark" >/dev/null 2>&1 || true' EXIT
for image in "$@"; do
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
        docker pull --quiet "$there" >/dev/null 2>&1 || continue
        docker tag "$there" "$image"
    fi
    docker tag "$image" "$there"
    printf 'a push goes on\n' | docker config create --label "windlass.at=$(date +%s)" "$mark" - >/dev/null
    for _ in $(seq 900); do
        if ! docker config inspect windlass-registry.clearing >/dev/null 2>&1; then break; fi
        sleep 1
    done
    docker push --quiet "$there" >/dev/null
    docker config rm "$mark" >/dev/null
    docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$there" |
        awk -v image="$image" -v start="$repository@" 'index($0, start) == 1 { print image " " $0; exit }'
done
