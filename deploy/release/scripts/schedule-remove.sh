# Removes a schedule: its units, its files, its images. The journal of its runs stays. Status 75 while a run is going on.
#
#   schedule-remove.sh ROOT UNIT IMAGES
set -eu

root=$1 unit=$2 images=$3
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

if [ -e "/etc/systemd/system/$unit.timer" ]; then
    as_root systemctl disable --quiet --now "$unit.timer"
    as_root rm -f "/etc/systemd/system/$unit.timer" "/etc/systemd/system/$unit.service"
    as_root systemctl daemon-reload
fi
if [ -d "$root/schedule" ]; then
    exec 9>>"$root/schedule/lock"
    flock -n 9 || exit 75
    rm -rf "$root/schedule"
fi
docker image ls --format '{{.Repository}}:{{.Tag}}' "$images" | xargs -r docker image rm >/dev/null 2>&1 || true
