# Runs a PostgreSQL program inside a database container, as the superuser that its image was set up with. No password is
# needed there: the server's own socket trusts the container's user, in the official image as in ours.
#
#   in-database.sh CONTAINER PROGRAM [ARGUMENT...]      the word @DATABASE stands for the image's own database
set -eu

container=$1
shift

# shellcheck disable=SC2016  # expanded inside the container
exec docker exec -i "$container" sh -eu -c '
    value() { eval "printf %s \"\${$1:-}\""; }
    setting() {
        file=$(value "$1_FILE")
        if [ -n "$file" ]; then cat "$file"; else value "$1"; fi
    }
    user=$(setting POSTGRES_USER)
    PGUSER=${user:-postgres}
    database=$(setting POSTGRES_DB)
    database=${database:-$PGUSER}
    export PGUSER
    for word; do
        shift
        [ "$word" = @DATABASE ] && word=$database
        set -- "$@" "$word"
    done
    exec "$@"
' in-database "$@"
