# Prints a project's records as a tar: the releases that are named, and all that changes. It holds the values of secrets.
#
#   records-pack.sh ROOT RELEASE...
set -eu

cd "$1"
shift
count=$#
for release in "$@"; do set -- "$@" "releases/$release"; done
shift "$count"
for file in journal.jsonl data/state.json data/stack.json data/manifest.sha256 data/files edge/state.json edge/maintenance.json frozen.json; do
    if [ -e "$file" ]; then set -- "$@" "$file"; fi
done
if [ -L current ]; then set -- "$@" current; fi
exec tar -c -f - --files-from /dev/null -- "$@"
