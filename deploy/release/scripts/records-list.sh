# Tells what a host has of a project's records, each with its hash: releases, the current one, and what changes.
#
#   records-list.sh ROOT
set -eu

cd "$1" 2>/dev/null || exit 0
for list in releases/*/manifest.sha256; do
    if [ -f "$list" ]; then
        release=${list%/manifest.sha256}
        printf 'release %s %s\n' "$(sha256sum <"$list" | cut -d ' ' -f 1)" "${release#releases/}"
    fi
done
if [ -L current ]; then printf 'current %s\n' "$(basename "$(readlink current)")"; fi
for file in journal.jsonl data/state.json data/stack.json data/manifest.sha256 edge/state.json edge/maintenance.json frozen.json; do
    if [ -f "$file" ]; then printf 'file %s %s\n' "$(sha256sum <"$file" | cut -d ' ' -f 1)" "$file"; fi
done
