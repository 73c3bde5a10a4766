# Starts the edge, or brings a running one to a new configuration, and puts it into networks. edge-place.sh comes before.
#
#   edge-up.sh ROOT CONTAINER IMAGE DEFINITION HOLDERS [NETWORK...]
#
# The container is replaced when its DEFINITION or its image has changed: made and put into its networks first, so that
# the gap is no longer than the old one's stop and the new one's start. HOLDERS, with commas between, are ids of containers
# that have its ports, or "stack:NAME" for a cluster's stack that has: they are stopped in that same moment. A change of the configuration alone is loaded into
# the running one: HAProxy's new worker takes over the old one's sockets, and the old one ends when its requests have.
set -eu

root=$1 container=$2 image=$3 definition=$4 holders=$5
shift 5
acme=${container%-edge-1}-acme-1
compose() { docker compose --ansi never --file compose.yaml "$@"; }

attach() {
    joined=$(docker container inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{println $name}}{{end}}' "$container")
    for network in "$@"; do
        printf '%s\n' "$joined" | grep -qxF -- "$network" || docker network connect "$network" "$container"
    done
}

let_go() {
    ids=
    for holder; do
        case $holder in
            stack:*)
                docker stack rm "${holder#stack:}" >/dev/null
                # left to the cluster, it would hold the port for as long as somebody is connected
                # shellcheck disable=SC2046  # a list of ids
                set -- $(docker ps --quiet --filter "label=com.docker.stack.namespace=${holder#stack:}")
                if [ $# -gt 0 ]; then docker stop --time 1 "$@" >/dev/null 2>&1 || true; fi
                # what is in this folder is this edge's now
                rm -rf stack
                ;;
            *) ids="$ids $holder" ;;
        esac
    done
    # shellcheck disable=SC2086  # a list of ids
    if [ -n "$ids" ]; then docker stop $ids >/dev/null; fi
}

# Until the new worker is the one that answers: a runtime command to the old one would be lost.
reload() {
    answering='exec 3<>/dev/tcp/127.0.0.1/9999; echo "show info" >&3; sed -n "s/^Pid: //p" <&3'
    old=$(docker exec "$container" bash -c "$answering")
    docker kill --signal USR2 "$container" >/dev/null
    deadline=$(($(date +%s) + 20)) taken=0
    while [ "$taken" -lt 2 ]; do
        new=$(docker exec "$container" bash -c "$answering" 2>/dev/null || true)
        if [ -n "$new" ] && [ "$new" != "$old" ]; then taken=$((taken + 1)); fi
        if [ "$(date +%s)" -gt "$deadline" ]; then
            printf 'the edge did not load its new configuration\n' >&2
            compose logs --no-log-prefix --tail 20 edge >&2
            exit 1
        fi
    done
}

cd "$root/edge"
trap 'rm -rf .next' EXIT
tls=no again=no changed=no
if [ -d .next/acme ]; then tls=yes; fi
for file in etc/haproxy.cfg etc/maintenance.html; do cmp -s ".next/$file" "$file" || changed=yes; done
for file in acme/acme.sh acme/ca.pem; do
    if [ -f ".next/$file" ] && [ -f "$file" ] && ! cmp -s ".next/$file" "$file"; then again=yes; fi
done
for failed in certs/*.failed; do if [ -f "$failed" ]; then again=yes; fi; done
(cd .next && find . -type f) | while read -r file; do
    mkdir -p "$(dirname "$file")"
    mv -f ".next/$file" "$file"
done

what='{{.State.Running}} {{.Id}} {{index .Config.Labels "com.docker.compose.image"}} {{index .Config.Labels "windlass.edge"}}'
before=$(docker container inspect --format "$what" "$container" 2>/dev/null || true)
same="true $(docker container inspect --format '{{.Id}}' "$container" 2>/dev/null || true)"
same="$same $(docker image inspect --format '{{.Id}}' "$image") $definition"
if [ "$before" = "$same" ]; then
    attach "$@"
    if [ "$changed" = yes ]; then reload; fi
fi
if [ "$before" != "$same" ] || [ "$tls" = yes ]; then
    if [ "$before" != "$same" ]; then
        # what is in flight on an edge that is replaced has a second to end: nobody is answered meanwhile
        compose up --no-start --timeout 1 --remove-orphans
        attach "$@"
    fi
    # shellcheck disable=SC2046  # a list of words
    let_go $(printf '%s' "$holders" | tr ',' ' ')
    compose up --detach --wait --wait-timeout 60 --remove-orphans || {
        compose logs --no-log-prefix --tail 20 >&2
        exit 1
    }
fi
# a client that waits before it tries again tries now: somebody may have mended what it failed for
if [ "$tls" = yes ] && [ "$again" = yes ]; then docker restart --time 1 "$acme" >/dev/null; fi
