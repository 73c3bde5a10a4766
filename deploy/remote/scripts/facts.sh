# Everything a plan needs to know about a host, in one round trip. Reads only.
#
#   facts.sh ROOT PROJECT
#
# Sections start with a line "@@name"; docker's own formats in between, parsed by deploy/model/facts.py.
set -eu

root=$1
project=$2
section() { printf '@@%s\n' "$*"; }
file() { if [ -f "$2" ]; then section "$1"; cat "$2"; printf '\n'; fi; }

section host
printf 'user=%s\n' "$(id -un)"
printf 'arch=%s\n' "$(uname -m)"
printf 'now=%s\n' "$(date +%s)"
printf 'timezone=%s\n' "$(date +%z)"
if [ -r /etc/os-release ]; then sed -n 's/^PRETTY_NAME="\{0,1\}\([^"]*\)"\{0,1\}$/distribution=\1/p' /etc/os-release; fi
parent=$root
until [ -d "$parent" ]; do parent=${parent%/*}; parent=${parent:-/}; done
if [ -w "$parent" ]; then printf 'root_writable=yes\n'; fi
if sudo -n true 2>/dev/null; then printf 'sudo=yes\n'; fi
df -Pk "$parent" | awk 'NR == 2 { printf "root_free_kb=%s\n", $4 }'

if command -v zstd >/dev/null; then printf 'zstd=yes\n'; fi
awk '$1 == "MemAvailable:" { printf "memory_kb=%s\n", $2 }' /proc/meminfo

section engine
docker version --format 'version={{.Server.Version}}' 2>&1 || true
printf 'compose=%s\n' "$(docker compose version --short 2>/dev/null)"
data_root=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null || true)
if [ -n "$data_root" ]; then
    # the data root may be closed to us: its nearest readable parent is on the same disk more often than not
    df -Pk "$data_root" 2>/dev/null | awk 'NR == 2 { printf "data_free_kb=%s\n", $4 }'
fi

section images
docker image ls --no-trunc --format '{{.ID}} {{.Repository}}:{{.Tag}}' 2>/dev/null || true

section layers
docker image ls --quiet --no-trunc 2>/dev/null | sort -u |
    xargs -r docker image inspect --format '{{.Id}}{{range .RootFS.Layers}} {{.}}{{end}}' 2>/dev/null || true

section containers
docker ps --all --no-trunc --format '{{.Names}}	{{.State}}	{{.Status}}	{{.Label "com.docker.compose.project"}}	{{.Label "com.docker.compose.service"}}	{{.Image}}	{{.Ports}}' 2>/dev/null || true

section listening
ss -H -ltn 2>/dev/null | awk '{ print $4 }' || true

if [ -L "$root/current" ]; then section current; basename "$(readlink "$root/current")"; fi
for record in "$root"/releases/*/release.json; do
    if [ -f "$record" ]; then file "release $(basename "$(dirname "$record")")" "$record"; fi
done
file edge "$root/edge/state.json"
edge=$(docker ps --quiet --filter "name=^$project-edge-edge-1\$" 2>/dev/null || true)
if [ -n "$edge" ]; then
    section edge-live
    docker exec "$edge" bash -c 'exec 3<>/dev/tcp/127.0.0.1/9999; echo "show map /usr/local/etc/haproxy/live.map" >&3; cat <&3' 2>/dev/null || true
fi
file data "$root/data/state.json"
file frozen "$root/frozen.json"
# the note of a holder that was killed may still be there; the lock itself is not
if [ -f "$root/lock" ] && ! flock -n "$root/lock" true; then file lock "$root/lock.json"; fi
if [ -f "$root/journal.jsonl" ]; then section journal; tail -n 200 "$root/journal.jsonl"; fi
section end
