# Unpacks a release that comes as a tar on standard input, complete or not at all.
#
#   stage.sh ROOT RELEASE [FOLDER...]     FOLDERs are made under ROOT/shared
#
# The tar holds release/… and data/…; data/ waits in data.next until the data services are brought up from it.
set -eu

root=$1
release=$2
shift 2

cd "$root"
partial=.staging-$release
rm -rf "$partial"
mkdir -m 0750 "$partial"
tar -x -p -f - -C "$partial" --no-same-owner
# what `drift` later compares with
for part in release data; do
    (cd "$partial/$part" && find . -type f -print0 | sort -z | xargs -0 -r sha256sum >"../$part.sha256")
    mv "$partial/$part.sha256" "$partial/$part/manifest.sha256"
done
rm -rf "releases/$release" data.next
mv "$partial/data" data.next
mv "$partial/release" "releases/$release"
rmdir "$partial"
for folder in "$@"; do
    mkdir -p "shared/$folder"
done
