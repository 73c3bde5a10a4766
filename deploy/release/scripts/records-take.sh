# Makes a host's records what comes as a tar on standard input: releases that lack, and all that changes.
#
#   records-take.sh ROOT GONE...      GONE are releases that are no longer kept
#
# Everything is looked at before anything is put in its place, each by one rename, the journal last.
set -eu

cd "$1"
shift
partial=.records
rm -rf "$partial"
mkdir -m 0700 "$partial"
trap 'rm -rf "$partial"' EXIT
tar -x -p -f - -C "$partial" --no-same-owner
for release in "$partial"/releases/*/; do
    if [ -d "$release" ]; then (cd "$release" && sha256sum --check --quiet --strict manifest.sha256 >&2); fi
done
find "$partial" -type f -exec sync {} + 2>/dev/null || sync
for release in "$partial"/releases/*/; do
    if [ -d "$release" ]; then
        name=$(basename "$release")
        rm -rf "releases/$name"
        mv "${release%/}" "releases/$name"
    fi
done
if [ -d "$partial/data/files" ]; then
    mkdir -p data/files
    cp -pf "$partial"/data/files/* data/files/ 2>/dev/null || true
fi
for file in data/stack.json data/manifest.sha256 data/state.json edge/state.json edge/maintenance.json frozen.json; do
    if [ -f "$partial/$file" ]; then mv "$partial/$file" "$file"; else rm -f "$file"; fi
done
if [ -L "$partial/current" ]; then mv -T "$partial/current" current; else rm -f current; fi
for release in "$@"; do rm -rf "releases/$release"; done
if [ -f "$partial/journal.jsonl" ]; then mv "$partial/journal.jsonl" journal.jsonl; else rm -f journal.jsonl; fi
