# Removes what compose has made of a project that a cluster serves now: its edge, releases and data services. What is in
# volumes and in the project's folder stays.
#
#   compose-end.sh ROOT DATA_PROJECT RELEASE...
set -eu

root=$1 data=$2
shift 2
down() { if [ -f "$1/compose.yaml" ]; then docker compose --ansi never --file "$1/compose.yaml" down --remove-orphans >&2; fi; }
# A network goes when nobody is in it: a cluster's data services were lent to those of a release.
leave() {
    for network in $(docker network ls --quiet --filter "label=com.docker.compose.project=$1"); do
        for container in $(docker network inspect --format '{{range $id, $_ := .Containers}}{{println $id}}{{end}}' "$network"); do
            docker network disconnect --force "$network" "$container" 2>/dev/null || true
        done
    done
}

cd "$root"
if [ -d edge ]; then (cd edge && down .); fi
# the rest of the folder is the edge's of the cluster
rm -f edge/compose.yaml edge/etc/live.map
for release; do
    rm -f "releases/$release/warm-until"
    if [ ! -f "releases/$release/compose.yaml" ]; then continue; fi
    project=${data%-data}-$release
    running=$(docker ps --quiet --filter "label=com.docker.compose.project=$project")
    # all at once, as when a release retires
    # shellcheck disable=SC2086
    if [ -n "$running" ]; then docker stop $running >/dev/null; fi
    leave "$project"
    down "releases/$release"
done
leave "$data"
# a cluster's container is none of compose's, by its labels
down data
rm -rf data/compose.yaml data.compose
