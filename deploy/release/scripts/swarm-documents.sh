# Prints a release's stacks, as they were staged, as sections. They hold the values of secrets: for memory only. Reads only.
#
#   swarm-documents.sh ROOT RELEASE
set -eu

for part in app data; do
    printf '\n@@%s\n' "$part"
    cat "$1/releases/$2/swarm/$part/stack.json" 2>/dev/null || true
done
printf '\n@@end\n'
