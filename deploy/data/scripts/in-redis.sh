# Runs redis-cli in a Redis container, with the password that the container itself was given.
#
#   in-redis.sh CONTAINER [ARGUMENT...]
#
# The password is tried from the variables that images and people use, and from the server's own options. It goes to the
# container over its environment: no process list shows it.
set -eu

container=$1
shift

# an empty REDISCLI_AUTH counts as a password: without one there must be no variable
cli() {
    $run docker exec -i ${REDISCLI_AUTH:+--env REDISCLI_AUTH} "$container" sh -c '
        if command -v redis-cli >/dev/null; then exec redis-cli "$@"; fi
        exec valkey-cli "$@"
    ' redis "$@"
}
answers() { [ "$(cli ping 2>&1 </dev/null)" = PONG ]; }

run=
unset REDISCLI_AUTH
if ! answers; then
    # shellcheck disable=SC2016  # expanded inside the container
    of_variables=$(docker exec "$container" sh -c '
        for name in REDIS_PASSWORD REDIS_PASS REDIS_REQUIREPASS VALKEY_PASSWORD; do
            file=$(eval "printf %s \"\${${name}_FILE:-}\"")
            if [ -n "$file" ]; then cat "$file"; echo; else eval "printf \"%s\n\" \"\${$name:-}\""; fi
        done')
    of_options=$(docker container inspect --format '{{range .Args}}{{println .}}{{end}}' "$container" |
        grep -A 1 -x -e --requirepass | tail -n 1) || true
    found=
    while IFS= read -r one; do
        if [ -n "$one" ] && [ -z "$found" ]; then
            export REDISCLI_AUTH="$one"
            if answers; then found=yes; fi
        fi
    done <<END
$of_variables
$of_options
END
    if [ -z "$found" ]; then
        printf '%s does not answer, or its password is in none of its variables (REDIS_PASSWORD, …) or options\n' \
            "$container" >&2
        exit 1
    fi
fi
run="exec"  # whoever ends this script ends what it runs
cli "$@"
