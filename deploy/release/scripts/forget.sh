# Lets stopped containers forget networks that are gone: an engine refuses to start a container that is to join one.
#
#   forget.sh CONTAINER...
#
# A change that was undone while the engine was down may have left a lasting container so. Prints what was forgotten.
set -eu

known=$(docker network ls --format '{{.Name}}')
for container; do
    joined=$(docker container inspect --format '{{if not .State.Running}}{{range $name, $_ := .NetworkSettings.Networks}}{{println $name}}{{end}}{{end}}' "$container" 2>/dev/null || true)
    for network in $joined; do
        if ! printf '%s\n' "$known" | grep -qxF -- "$network"; then
            docker network disconnect --force "$network" "$container" && printf '%s\n' "$network"
        fi
    done
done
