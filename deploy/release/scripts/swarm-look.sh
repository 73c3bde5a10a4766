# Tells what a cluster and a project's stacks on it are like, for a manager to run. Reads only.
#
#   swarm-look.sh [--held] STACK...      or --all, for whatever runs on the cluster; --held tells UDP ports of the nodes too
#
# Sections start with a line "@@name"; docker's own JSON in between, which holds the values of secrets: for
# deploy/model/swarm/found.py, and nothing to be shown.
set -eu

section() { printf '\n@@%s\n' "$*"; }
# The engine forgets tasks and nodes while we ask: what is gone is no error.
inspect() { if [ $# -gt 1 ]; then docker "$@" 2>/dev/null || true; fi; }

held=
if [ "${1:-}" = --held ]; then
    held=$(docker service ls --quiet)
    shift
fi
section about
kernel=/lib/modules/$(uname -r)
if [ -d /proc/sys/net/ipv4/vs ] || grep -qs '/ip_vs\.ko' "$kernel/modules.dep" "$kernel/modules.builtin"; then printf 'ip_vs\n'; fi
docker service inspect --format 'registry {{index .Spec.Labels "windlass.address"}} {{range .Spec.TaskTemplate.Placement.Constraints}}{{.}} {{end}}' windlass-registry_registry 2>/dev/null || true
section nodes
# shellcheck disable=SC2046
inspect node inspect $(docker node ls --quiet)
services=
for stack in "$@"; do
    if [ "$stack" = --all ]; then
        services=$(docker service ls --quiet | tr '\n' ' ')
        break
    fi
    services="$services $(docker service ls --quiet --filter "label=com.docker.stack.namespace=$stack" | tr '\n' ' ')"
done
section services
# shellcheck disable=SC2086
if [ -n "$(printf '%s' $services)" ]; then inspect service inspect $services; fi
section tasks
if [ -n "$(printf '%s' "$services" | tr -d ' ')" ]; then
    # shellcheck disable=SC2086
    tasks=$(docker service ps --quiet --no-trunc $services 2>/dev/null || true)
    # shellcheck disable=SC2086
    if [ -n "$tasks" ]; then inspect inspect --type task $tasks; fi
fi
section held
# shellcheck disable=SC2016  # the engine's own variable
ports='{{$name := .Spec.Name}}{{with .Spec.EndpointSpec}}{{range .Ports}}{{if eq (print .Protocol) "udp"}}{{println $name .PublishedPort}}{{end}}{{end}}{{end}}'
# shellcheck disable=SC2086
if [ -n "$held" ]; then inspect service inspect --format "$ports" $held | grep . || true; fi
section end
