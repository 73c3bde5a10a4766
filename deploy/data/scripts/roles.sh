# Inside a new server's container: makes the roles of another server, with their passwords, memberships and settings.
#
#   roles.sh SOCKET       the folder of the other server's socket
#
# What goes from one to the other has password hashes in it: it touches no disk and no log, ours or the server's, so nothing
# is said of what fails either. Whoever calls this compares the two afterwards; one error there always is, since the
# superuser is there already.
set -eu

pg_dumpall --no-password --globals-only --host "$1" |
    PGOPTIONS='-c log_min_error_statement=panic -c log_min_messages=panic -c log_statement=none -c log_min_duration_statement=-1' \
        psql --quiet --no-psqlrc --no-password --dbname postgres >/dev/null 2>&1
