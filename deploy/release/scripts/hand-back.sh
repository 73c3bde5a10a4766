# Lets what is live go on as a plain compose project in ROOT/plain, or leaves everything as it is.
#
#   hand-back.sh ROOT RELEASE TIMEOUT_S DATA LASTING       standard input: the compose document
#
# DATA and LASTING are names of services: the data services, and all that run on rather than end.
# Everything is checked and made before anything is stopped. Last it prints for how many seconds nobody was answered.
set -eu

root=$1 release=$2 timeout_s=$3 data=$4 lasting=$5

plain() { docker compose --ansi never --file "$root/plain/compose.yaml" "$@"; }
ours() {
    what=$1
    shift
    if [ -f "$root/$what/compose.yaml" ]; then docker compose --ansi never --file "$root/$what/compose.yaml" "$@"; fi
}

rm -rf "$root/plain.new"
mkdir -m 0750 "$root/plain.new"
(umask 077 && cat >"$root/plain.new/compose.yaml")
cp -a "$root/releases/$release" "$root/plain.new/release"
mkdir "$root/plain.new/data"
if [ -d "$root/data" ]; then cp -a "$root/data/." "$root/plain.new/data/"; fi
rm -f "$root/plain.new/release/compose.yaml" "$root/plain.new/data/compose.yaml"
rm -rf "$root/plain"
mv "$root/plain.new" "$root/plain"
# whatever ran by hand before, stopped since: its containers have the names
plain down --remove-orphans >&2
plain up --no-start >&2

began=$(date +%s%N)
ours edge stop --timeout 10 >&2
ours "releases/$release" stop >&2
ours data stop >&2
# shellcheck disable=SC2086  # lists of names
if {
    { [ -z "$data" ] || plain up --detach --no-recreate --wait --wait-timeout "$timeout_s" $data; } &&
        plain up --detach --no-recreate &&
        { [ -z "$lasting" ] || plain up --detach --no-recreate --no-deps --wait --wait-timeout "$timeout_s" $lasting; }
} >&2; then
    ended=$(date +%s%N)
else
    plain logs --no-color --tail 20 >&2 || true
    plain down >&2 || true
    ours data up --detach --wait --wait-timeout "$timeout_s" >&2
    ours "releases/$release" up --detach --no-recreate >&2
    ours edge start >&2
    exit 1
fi
# from here on nothing of ours is live: what is left of it is to be gone back to by a deploy
ours edge down >&2
ours "releases/$release" down >&2
ours data down >&2
rm -f "$root/current" "$root/data/state.json" "$root/edge/state.json" "$root/edge/compose.yaml"
awk -v ns="$((ended - began))" 'BEGIN { printf "%.1f\n", ns / 1e9 }'
