# Removes a project's lock in a cluster; one that somebody else has made since stays.
#
#   swarm-unlock.sh ID
set -eu

if [ -n "$1" ]; then docker config rm "$1" >/dev/null 2>&1 || true; fi
