# Removes a project's images that nothing needs any more from the cluster's registry and from its nodes.
#
#   swarm-images.sh ROOT PROJECT REGISTRY CLEAR DROP
#
# Needed is what a service of the cluster runs or ran before its last update, and what a release in ROOT would run. CLEAR
# and DROP are the scripts that do it, each as a job of the cluster: one beside the registry, one on every node at work.
# Prints "registry IMAGES KB" or "registry busy", and "node NAME IMAGES BYTES" for each.
#
# A registry may only be cleared while nobody pushes: a layer that has just come belongs to no image yet. Both sides leave
# a mark that every manager sees before they look for the other's. Marks of a machine that died count for an hour.
set -eu

root=$1
project=$2
registry=$3
clear=$4
drop=$5
clearing=windlass-registry.clearing
jobs="windlass-registry-clear windlass-$project-drop"

at_work() { # MARK
    at=$(docker config inspect --format '{{index .Spec.Labels "windlass.at"}}' "$1" 2>/dev/null || echo 0)
    if [ $(($(date +%s) - at)) -lt 3600 ]; then return 0; fi
    docker config rm "$1" >/dev/null 2>&1 || true
    return 1
}

ends() { # JOB SECONDS: waits until all its containers have ended
    for _ in $(seq "$2"); do
        states=$(docker service ps --format '{{.CurrentState}}' "$1")
        if [ -n "$states" ] && ! printf '%s\n' "$states" | grep -Evq '^(Complete|Failed|Rejected|Orphaned|Shutdown) '; then return; fi
        sleep 1
    done
}

cd "$root"
images='{{.Spec.TaskTemplate.ContainerSpec.Image}}{{with .PreviousSpec}} {{.TaskTemplate.ContainerSpec.Image}}{{end}}'
services=$(docker service ls --quiet)
# shellcheck disable=SC2086
needed=$({
    cat releases/*/swarm/*/stack.json 2>/dev/null || true
    if [ -n "$services" ]; then docker service inspect --format "$images" $services; fi
} | grep -o "$registry/$project/[^\"@ ]*@sha256:[0-9a-f]\{64\}" | sort -u)
if [ -z "$needed" ]; then
    printf 'nothing is known to be needed of %s, so nothing is removed\n' "$project" >&2
    exit 1
fi

cleared=
# shellcheck disable=SC2329  # by the trap
tidy() {
    # shellcheck disable=SC2086
    docker service rm $jobs >/dev/null 2>&1 || true
    if [ -n "$cleared" ]; then docker config rm "$clearing" >/dev/null 2>&1 || true; fi
}
trap tidy EXIT
# shellcheck disable=SC2086
docker service rm $jobs >/dev/null 2>&1 || true
create='docker service create --quiet --detach --no-resolve-image --restart-condition none --endpoint-mode dnsrr --limit-memory 512m'

proxy=$(docker service inspect --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}' "${project}-edge_edge" 2>/dev/null ||
    docker service inspect --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}' windlass-registry_door)
# shellcheck disable=SC2086
$create --mode global-job --name "windlass-$project-drop" --user root --env 'NODE={{.Node.Hostname}}' \
    --mount type=bind,source=/var/run/docker.sock,target=/var/run/docker.sock \
    "$proxy" sh -eu -c "$drop" drop "$registry/$project/" $needed >/dev/null

busy=
at_work "$clearing" || true
if printf 'the registry is being cleared\n' | docker config create --label "windlass.at=$(date +%s)" "$clearing" - >/dev/null 2>&1; then
    cleared=yes
    for mark in $(docker config ls --format '{{.Name}}' --filter name=windlass-registry.push.); do
        if at_work "$mark"; then busy=yes; fi
    done
else
    busy=yes
fi
if [ -z "$busy" ]; then
    where=$(docker service inspect --format '{{index .Spec.TaskTemplate.Placement.Constraints 0}}' windlass-registry_registry)
    keeper=$(docker service inspect --format '{{.Spec.TaskTemplate.ContainerSpec.Image}}' windlass-registry_registry)
    # shellcheck disable=SC2046,SC2086
    $create --mode replicated-job --name windlass-registry-clear --constraint "$where" --entrypoint sh \
        --mount type=volume,source=windlass-registry,target=/var/lib/registry \
        "$keeper" -eu -c "$clear" clear "$project" $(printf '%s\n' $needed | sed 's/.*@//') >/dev/null
    ends windlass-registry-clear 900
    timeout 30 docker service logs --raw windlass-registry-clear
else
    printf 'registry busy\n'
fi
ends "windlass-$project-drop" 120
timeout 30 docker service logs --raw "windlass-$project-drop"
