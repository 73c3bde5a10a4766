# Gives a new server the configuration of an old one, and starts it again with it.
#
#   settings.sh OLD NEW       containers; lines for a configuration file come on standard input
set -eu

old=$1 new=$2

# shellcheck disable=SC2016  # expanded by the shell in the container
docker exec --interactive "$new" sh -euc 'cat >>"$PGDATA/postgresql.auto.conf"'
for file in pg_hba.conf pg_ident.conf; do
    # shellcheck disable=SC2016  # expanded by the shell in the container
    content=$(docker exec "$old" sh -euc 'cat "$PGDATA/$1"' settings "$file")
    # shellcheck disable=SC2016  # expanded by the shell in the container
    printf '%s\n' "$content" | docker exec --interactive "$new" sh -euc 'cat >"$PGDATA/$1"' settings "$file"
done
docker restart --time 60 "$new" >/dev/null
