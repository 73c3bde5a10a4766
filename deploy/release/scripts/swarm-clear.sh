# Beside the registry, in a container with its volume: forgets images of a project, and gives back the room that only they take.
#
#   swarm-clear.sh PROJECT DIGEST...      those that are needed
#
# Prints "registry IMAGES KB". Nobody may push meanwhile.
set -eu

store=/var/lib/registry/docker/registry/v2
folder=$store/repositories/$1
shift
before=$(du -sk "$store" | cut -f 1)
data() { # DIGEST: where the registry keeps it
    hex=${1#sha256:}
    printf '%s/blobs/sha256/%s/%s/data\n' "$store" "${hex%"${hex#??}"}" "$hex"
}

needed=" $* "
for digest in "$@"; do
    # an image for several platforms is a list of others
    for other in $(grep -o 'sha256:[0-9a-f]\{64\}' "$(data "$digest")" 2>/dev/null || true); do needed="$needed$other "; done
done
gone=0
cd "$folder"
for revision in */_manifests/revisions/sha256/*; do
    digest=sha256:${revision##*/}
    case $needed in *" $digest "*) continue ;; esac
    if ! [ -d "$revision" ]; then continue; fi
    for tag in "${revision%%/*}"/_manifests/tags/*; do
        if [ "$(cat "$tag/current/link" 2>/dev/null)" = "$digest" ]; then rm -rf "$tag"; fi
    done
    rm -rf "$revision"
    gone=$((gone + 1))
done
printf 'version: 0.1\nstorage:\n  filesystem: {rootdirectory: /var/lib/registry}\n' >/tmp/clear.yml
if ! registry garbage-collect /tmp/clear.yml >/tmp/clear.log 2>&1; then
    cat /tmp/clear.log >&2
    exit 1
fi
# what an image's name had of layers that are gone
for link in */_layers/sha256/*; do
    if ! [ -f "$(data "sha256:${link##*/}")" ]; then rm -rf "$link"; fi
done
printf 'registry %s %s\n' "$gone" "$((before - $(du -sk "$store" | cut -f 1)))"
