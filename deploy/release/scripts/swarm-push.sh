# Pushes images that are on this engine to the cluster's registry, and prints for each its name and the reference by digest.
#
#   swarm-push.sh REGISTRY IMAGE...
set -eu

registry=$1
shift
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
    docker tag "$image" "$there"
    docker push --quiet "$there" >/dev/null
    docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$there" |
        awk -v image="$image" -v start="$repository@" 'index($0, start) == 1 { print image " " $0; exit }'
done
