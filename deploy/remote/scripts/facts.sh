# Everything a plan needs to know about a host, in one round trip. Reads only.
#
#   facts.sh ROOT PROJECT
#
# Sections start with a line "@@name"; docker's own formats in between, parsed by deploy/model/facts.py. What asks the
# engine runs side by side, since every question starts a client.
set -eu

root=$1
project=$2
section() { printf '@@%s\n' "$*"; }
file() { if [ -f "$2" ]; then section "$1"; cat "$2"; printf '\n'; fi; }

about_host() {
    printf 'user=%s\n' "$(id -un)"
    printf 'arch=%s\n' "$(uname -m)"
    printf 'now=%s\n' "$(date +%s)"
    printf 'timezone=%s\n' "$(date +%z)"
    if [ -r /etc/os-release ]; then
        sed -n 's/^PRETTY_NAME="\{0,1\}\([^"]*\)"\{0,1\}$/distribution=\1/p' /etc/os-release
    fi
    parent=$root
    until [ -d "$parent" ]; do parent=${parent%/*}; parent=${parent:-/}; done
    if [ -w "$parent" ]; then printf 'root_writable=yes\n'; fi
    if [ -d "$root" ] && ! { [ -r "$root" ] && [ -x "$root" ]; }; then printf 'closed_by=%s\n' "$(stat -c %U "$root")"; fi
    if sudo -n true 2>/dev/null; then printf 'sudo=yes\n'; fi
    df -Pk "$parent" | awk 'NR == 2 { printf "root_free_kb=%s\n", $4 }'
    if command -v zstd >/dev/null; then printf 'zstd=yes\n'; fi
}
# What the machine is apart from any project, as far as everybody may read it.
about_machine() {
    awk '$1 == "MemAvailable:" { printf "memory_kb=%s\n", $2 }
         $1 == "MemTotal:" { printf "memory_total_kb=%s\n", $2 }
         $1 == "SwapTotal:" { printf "swap_kb=%s\n", $2 }' /proc/meminfo
    # when packages were last asked for, and last installed
    stat -c '%n=%Y' /var/lib/apt/lists /var/lib/apt/lists/partial /var/lib/apt/periodic/update-success-stamp /var/lib/dpkg/status 2>/dev/null || true
    if [ -e /var/run/reboot-required ]; then
        printf 'reboot=%s\n' "$({ cat /var/run/reboot-required.pkgs 2>/dev/null || true; } | sort -u | tr '\n' ' ')."
    fi
    printf 'addresses=%s\n' "$(hostname -I 2>/dev/null || true)"
    if [ -r /etc/ufw/ufw.conf ] && grep -qx 'ENABLED=yes' /etc/ufw/ufw.conf; then printf 'firewall_ufw=yes\n'; fi
    if [ -e /etc/systemd/system/multi-user.target.wants/firewalld.service ]; then printf 'firewall_firewalld=yes\n'; fi
    if [ -d /etc/windlass/firewall.d ]; then printf 'guarded=%s\n' "$(cat /etc/windlass/firewall.d/* 2>/dev/null | tr '\n' ' ')"; fi
}
# What each container has in memory that no other use can push out: "ID BYTES". Both versions of cgroups, either driver.
memory() {
    set --
    for stat in /sys/fs/cgroup/docker/*/memory.stat /sys/fs/cgroup/system.slice/docker-*.scope/memory.stat \
        /sys/fs/cgroup/memory/docker/*/memory.stat /sys/fs/cgroup/memory/system.slice/docker-*.scope/memory.stat
    do
        if [ -r "$stat" ]; then set -- "$@" "$stat"; fi
    done
    if [ $# = 0 ]; then return 0; fi
    # a container may end meanwhile
    awk '$1 == "anon" || $1 == "shmem" || $1 == "total_rss" || $1 == "total_shmem" {
             # total_… of version 1 come after their own "shmem", which is in them
             if ($1 == "total_rss") sum[FILENAME] = 0
             sum[FILENAME] += $2
         }
         END {
             for (file in sum) {
                 id = file
                 sub(/.*docker[-\/]/, "", id)
                 printf "%s %.0f\n", substr(id, 1, 64), sum[file]
             }
         }' "$@" 2>/dev/null || true
}
compose() { printf 'compose=%s\n' "$(docker compose version --short 2>/dev/null)"; }
data_disk() {
    about=$(docker info --format '{{.DockerRootDir}}|{{.DriverStatus}}' 2>/dev/null || true)
    case $about in *io.containerd.snapshotter*) printf 'containerd=yes\n' ;; esac
    data_root=${about%%|*}
    if [ -n "$data_root" ]; then
        # the data root may be closed to us: its nearest readable parent is on the same disk more often than not
        df -Pk "$data_root" 2>/dev/null | awk 'NR == 2 { printf "data_free_kb=%s\ndata_kb=%s\n", $4, $2 }'
    fi
}
layers() {
    docker image ls --quiet --no-trunc 2>/dev/null | sort -u |
        xargs -r docker image inspect --format '{{.Id}}{{range .RootFS.Layers}} {{.}}{{end}}' 2>/dev/null || true
}
containers() {
    docker ps --all --no-trunc --format '{{.Names}}	{{.State}}	{{.Status}}	{{.Label "com.docker.compose.project"}}	{{.Label "com.docker.compose.service"}}	{{.Image}}	{{.Ports}}	{{.ID}}' 2>/dev/null || true
}
live_slot() {
    edge=$project-edge-edge-1 certs=/certs
    if [ -d "$root/edge/stack" ]; then
        edge=$(docker ps --quiet --filter "label=com.docker.swarm.service.name=$project-edge_edge" 2>/dev/null | head -n 1)
        certs=/var/lib/haproxy/current
    fi
    questions='show map /usr/local/etc/haproxy/live.map'
    for pem in "$root"/edge/certs/*.pem; do
        if [ -f "$pem" ]; then questions="$questions;show ssl cert $certs/${pem##*/}"; fi
    done
    docker exec "$edge" bash -c 'exec 3<>/dev/tcp/127.0.0.1/9999; printf "%s\n" "$1" >&3; cat <&3' ask "$questions" 2>/dev/null || true
}
edge_runs() {
    docker container inspect --format '{{index .Config.Labels "com.docker.compose.image"}} {{index .Config.Labels "windlass.edge"}}' "$project-edge-edge-1" 2>/dev/null || true
}
# What the containers of the project that was started by hand mount: asked for as long as no release of ours serves.
by_hand() {
    if [ -L "$root/current" ]; then return 0; fi
    # shellcheck disable=SC2016  # the engine's variables, not the shell's
    docker ps --quiet --no-trunc --filter "label=com.docker.compose.project=$project" 2>/dev/null |
        xargs -r docker container inspect --format '{{$id := .Id}}{{range .Mounts}}{{printf "%s\t%s\t%s\t%s\n" $id .Type (or .Name .Source) .Destination}}{{end}}' 2>/dev/null || true
}
# What a cluster that this machine manages has of the project, and the node with its data.
on_cluster() {
    node=$(docker info --format '{{if .Swarm.ControlAvailable}}{{.Swarm.NodeID}}{{end}}' 2>/dev/null || true)
    if [ -z "$node" ]; then return 0; fi
    for stack in "$project" "$project-data" "$project-edge"; do
        docker service ls --filter "label=com.docker.stack.namespace=$stack" --format 'service {{.Name}}' 2>/dev/null || true
    done
    docker node ls --quiet 2>/dev/null | xargs -r docker node inspect --format \
        "{{if eq (index .Spec.Labels \"windlass.data.$project\") \"yes\"}}data {{.Description.Hostname}}{{if eq .ID \"$node\"}} here{{end}}{{end}}" 2>/dev/null || true
}

answers=$(mktemp -d)
trap 'rm -rf "$answers"' EXIT
about_host >"$answers/host" &
about_machine >"$answers/machine" &
memory >"$answers/memory" &
{ docker version --format 'version={{.Server.Version}}' || true; } >"$answers/version" 2>&1 &
compose >"$answers/compose" &
data_disk >"$answers/disk" &
{ docker image ls --no-trunc --format '{{.ID}} {{.Repository}}:{{.Tag}}' || true; } >"$answers/images" 2>/dev/null &
layers >"$answers/layers" &
containers >"$answers/containers" &
live_slot >"$answers/edge-live" &
edge_runs >"$answers/edge-runs" &
by_hand >"$answers/by-hand" &
on_cluster >"$answers/cluster" &
wait

section host
cat "$answers/host"
section engine
cat "$answers/version" "$answers/compose" "$answers/disk"
for name in machine memory images layers containers by-hand cluster edge-live edge-runs; do
    section "$name"
    cat "$answers/$name"
done

section listening
ss -H -ltn 2>/dev/null | awk '{ print $4 }' || true

if [ -L "$root/current" ]; then section current; basename "$(readlink "$root/current")"; fi
for record in "$root"/releases/*/release.json; do
    if [ -f "$record" ]; then
        folder=${record%/release.json}
        file "release ${folder##*/}" "$record"
    fi
done
section of-cluster
for folder in "$root"/releases/*/swarm; do
    if [ -d "$folder" ]; then basename "${folder%/swarm}"; fi
done
section warm
for mark in "$root"/releases/*/warm-until; do
    if [ -f "$mark" ]; then
        folder=${mark%/warm-until}
        printf '%s=%s\n' "${folder##*/}" "$(cat "$mark")"
    fi
done
file edge "$root/edge/state.json"
file maintenance "$root/edge/maintenance.json"
section certificate-failures
for failed in "$root"/edge/certs/*.failed; do
    if [ -f "$failed" ]; then printf '%s %s\n' "$(basename "$failed" .failed)" "$(head -c 1000 "$failed" | tr '\n' ' ')"; fi
done
file data "$root/data/state.json"
file frozen "$root/frozen.json"
if [ -r "$root/schedule/schedule.json" ]; then file schedule "$root/schedule/schedule.json"; fi
# the note of a holder that was killed may still be there; the lock itself is not
if [ -f "$root/lock" ] && ! flock -n "$root/lock" true; then file lock "$root/lock.json"; fi
if [ -f "$root/journal.jsonl" ]; then section journal; tail -n 200 "$root/journal.jsonl"; fi
section end
