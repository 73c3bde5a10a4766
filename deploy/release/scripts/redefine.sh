# Makes the next state of the data services: as it is, with another compose document and another state. Also rewrites the
# record of a release.
#
#   redefine.sh ROOT RELEASE      standard input: the compose document, state.json and release.json, a line of base64 each
#
# The next state waits in data.next until the data services are brought up from it, as stage.sh leaves it.
set -eu

root=$1 release=$2

umask 077
cd "$root"
partial=.redefining
rm -rf "$partial" data.next
mkdir -m 0750 "$partial"
for name in compose.yaml state.json release.json; do
    IFS= read -r content
    printf '%s' "$content" | base64 -d >"$partial/$name"
done
# what `drift` later compares with: a line for each file that was written
listed() {
    grep -vF -e "  ./$2" "$1/manifest.sha256" || true
    printf '%s  ./%s\n' "$(sha256sum <"$partial/$2" | cut -d ' ' -f 1)" "$2"
}
listed "releases/$release" release.json >"$partial/manifest.release"
mv "$partial/release.json" "releases/$release/release.json"
mv "$partial/manifest.release" "releases/$release/manifest.sha256"
cp data/manifest.sha256 "$partial/manifest.sha256"
for name in compose.yaml state.json; do
    listed "$partial" "$name" >"$partial/manifest.new"
    mv "$partial/manifest.new" "$partial/manifest.sha256"
done
mv "$partial" data.next
