# Prints a release's stack and that of the data services, as they were deployed, as sections. They hold the values of secrets: for memory only. Reads only.
#
#   swarm-documents.sh ROOT RELEASE
set -eu

printf '\n@@app\n'
cat "$1/releases/$2/swarm/app/stack.json" 2>/dev/null || true
# a rollback leaves the data services what a newer release has made of them
printf '\n@@data\n'
cat "$1/data/stack.json" 2>/dev/null || true
printf '\n@@end\n'
