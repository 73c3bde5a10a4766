# Prints what stands on the host beside what should: files, containers, the edge. Reads only.
#
#   drift.sh ROOT PROJECT RELEASE
#
# Sections start with a line "@@name"; parsed by deploy/model/drift.py.
set -eu

root=$1 project=$2 release=$3
section() { printf '@@%s\n' "$*"; }

# what is staged is listed with its digests in manifest.sha256
part() {
    if [ -f "$2/compose.yaml" ]; then
        section "document $1"
        base64 -w 0 "$2/compose.yaml"
        printf '\n'
        section "hashes $1"
        docker compose --file "$2/compose.yaml" config --hash '*' 2>/dev/null || true
        section "changed $1"
        if [ -f "$2/manifest.sha256" ]; then
            (cd "$2" && LC_ALL=C sha256sum --check manifest.sha256 2>/dev/null | sed -n 's/: FAILED.*$//p') || true
        fi
    fi
}
part release "$root/releases/$release"
part data "$root/data"
part edge "$root/edge"

if [ -f "$root/releases/$release/manifest.sha256" ]; then
    section added
    (cd "$root/releases/$release" && find . -type f ! -name manifest.sha256 ! -name warm-until | while read -r file; do
        grep -qF -- "  $file" manifest.sha256 || printf '%s\n' "$file"
    done)
fi

section containers
# shellcheck disable=SC2016  # Go's template variables
docker ps --all --quiet --no-trunc --filter label=com.docker.compose.project | xargs -r docker container inspect --format \
    '{{.Name}}	{{index .Config.Labels "com.docker.compose.project"}}	{{index .Config.Labels "com.docker.compose.service"}}	{{index .Config.Labels "com.docker.compose.config-hash"}}	{{index .Config.Labels "com.docker.compose.oneoff"}}	{{.State.Running}}	{{.Image}}	{{.Config.Image}}	{{range $name, $_ := .NetworkSettings.Networks}}{{$name}},{{end}}' |
    awk -F '\t' -v project="$project" '$2 == project || index($2, project "-") == 1'

for file in haproxy.cfg live.map; do
    if [ -f "$root/edge/etc/$file" ]; then
        section "edge $file"
        base64 -w 0 "$root/edge/etc/$file"
        printf '\n'
    fi
done
edge=$(docker ps --quiet --filter "name=^$project-edge-edge-1\$")
if [ -n "$edge" ]; then
    section servers
    docker exec "$edge" bash -c 'exec 3<>/dev/tcp/127.0.0.1/9999; echo "show servers state" >&3; cat <&3' 2>/dev/null || true
fi
section end
