# Prints what a manager has written of a cluster's services, and what of the cluster is not of the project's stacks. Reads only.
#
#   swarm-drift.sh ROOT PROJECT RELEASE
#
# Sections start with a line "@@name"; parsed by deploy/model/swarm/drift.py. The documents hold the values of secrets: for
# memory only.
set -eu

root=$1 project=$2 release=$3
section() { printf '\n@@%s\n' "$*"; }

section app
cat "$root/releases/$release/swarm/app/stack.json" 2>/dev/null || true
section edge
cat "$root/edge/stack/stack.json" 2>/dev/null || true
section data
cat "$root/data/stack.json" 2>/dev/null || true
changed() {
    section "changed $1"
    if [ -f "$2/manifest.sha256" ]; then
        (cd "$2" && LC_ALL=C sha256sum --check manifest.sha256 2>/dev/null | sed -n 's|^\./||; s/: FAILED.*$//p') || true
    fi
}
changed release "$root/releases/$release"
changed data "$root/data"
if [ -f "$root/releases/$release/manifest.sha256" ]; then
    section added
    (cd "$root/releases/$release" && find . -type f ! -name manifest.sha256 | while read -r file; do
        grep -qF -- "  $file" manifest.sha256 || printf '%s\n' "${file#./}"
    done)
fi
section networks
docker network ls --no-trunc --filter scope=swarm --format '{{.ID}} {{.Name}}'
section others
ids=$(docker service ls --quiet)
if [ -n "$ids" ]; then
    # shellcheck disable=SC2086  # a list of ids
    docker service inspect --format '{{index .Spec.Labels "com.docker.stack.namespace"}}	{{.Spec.Name}} {{range .Spec.TaskTemplate.Networks}}{{.Target}},{{end}}' $ids |
        awk -F '\t' -v project="$project" '$1 != project && $1 != project "-data" && $1 != project "-edge" { print $2 }'
fi
section end
