# Brings the edge of a cluster to a state: its files on the manager, and its stack. edge-place.sh comes before.
#
#   swarm-edge-up.sh ROOT STACK LABEL SECRET...
#
# LABEL, as KEY=VALUE, is what the controller has in the cluster once all of the stack is there: another manager may have told the
# cluster of another one since this one did. SECRETs are called ..._NAME, after their files in secrets/.
#
# Prints "deployed" when the cluster was told of another stack. What only the files say reaches the edges by the controller.
set -eu

root=$1 stack=$2 label=$3
shift 3

cd "$root/edge"
trap 'rm -rf .next' EXIT

# Made once: their keys are nowhere else. The last one is there when all are.
last=
for secret in "$@"; do last=$secret; done
if ! docker secret inspect "$last" >/dev/null 2>&1; then
    for secret in "$@"; do
        docker secret rm "$secret" >/dev/null 2>&1 || true
        docker secret create --label "com.docker.stack.namespace=$stack" "$secret" ".next/secrets/${secret##*_}" >/dev/null
    done
fi
rm -r .next/secrets

told=no
for service in $(docker service ls --quiet --filter "label=$label"); do
    if [ "$(docker service inspect --format '{{.Spec.Name}}' "$service")" = "${stack}_controller" ]; then told=yes; fi
done
if ! docker service inspect "${stack}_edge" >/dev/null 2>&1; then told=no; fi
rm -rf stack
mv .next/stack stack
# the configuration last: what it names is there then
(cd .next && find . -type f ! -path ./etc/haproxy.cfg && printf './etc/haproxy.cfg\n') | while read -r file; do
    mv -f ".next/$file" "$file"
done
if [ "$told" = no ]; then
    (cd stack && docker stack deploy --prune --resolve-image never --compose-file stack.json "$stack" >&2)
    printf 'deployed\n'
fi
# a client that waits before it tries again tries now: somebody may have mended what it failed for
for failed in certs/*.failed; do
    if [ -f "$failed" ]; then
        docker ps --quiet --filter "label=com.docker.swarm.service.name=${stack}_acme" | xargs -r docker stop >/dev/null
        break
    fi
done
