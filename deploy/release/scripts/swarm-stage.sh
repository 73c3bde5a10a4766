# Unpacks a release for a cluster that comes as a tar on standard input, complete or not at all.
#
#   swarm-stage.sh ROOT RELEASE
set -eu

root=$1
release=$2

cd "$root"
partial=.staging-$release
rm -rf "$partial"
mkdir -m 0750 "$partial"
tar -x -p -f - -C "$partial" --no-same-owner
(cd "$partial/release" && find . -type f -print0 | sort -z | xargs -0 -r sha256sum >../manifest.sha256)
mv "$partial/manifest.sha256" "$partial/release/manifest.sha256"
rm -rf "releases/$release"
mv "$partial/release" "releases/$release"
rmdir "$partial"
