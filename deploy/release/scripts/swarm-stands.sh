# Notes what is true of the data services now: the document and the files that their stack was deployed from, and the parts
# that each of them is made of.
#
#   swarm-stands.sh ROOT SOURCE [RELEASE]     SOURCE is a folder under ROOT with stack.json, files and state.json
#
# With RELEASE, SOURCE has a record of that release besides, which takes the place of its own, and is gone afterwards.
set -eu

cd "$1"
source=$2 release=${3:-}

# readable for whoever a container runs as, which mounts them one by one; nobody here gets through the folder
mkdir -p data/files
chmod 0700 data/files
if [ -n "$(ls "$source/files")" ]; then cp -f "$source"/files/* data/files/; fi
find data/files -type f -exec chmod 0444 {} +
(umask 077 && cp "$source/stack.json" data/stack.json.new)
cp "$source/state.json" data/state.json.new
if [ -n "$release" ]; then
    grep -vF -e '  ./release.json' "releases/$release/manifest.sha256" >"$source/manifest.release" || true
    printf '%s  ./release.json\n' "$(sha256sum <"$source/release.json" | cut -d ' ' -f 1)" >>"$source/manifest.release"
    mv "$source/release.json" "releases/$release/release.json"
    mv "$source/manifest.release" "releases/$release/manifest.sha256"
fi
mv data/stack.json.new data/stack.json
mv data/state.json.new data/state.json
for file in data/files/*; do
    if [ -e "$file" ] && ! [ -e "$source/files/${file##*/}" ]; then rm -f "$file"; fi
done
# what `drift` later compares with
(cd data && find stack.json state.json files -type f -print0 | sort -z | xargs -0 -r sha256sum >manifest.sha256)
if [ -n "$release" ]; then rm -rf "$source"; fi
