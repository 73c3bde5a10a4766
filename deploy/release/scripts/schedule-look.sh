# What there is of a schedule on the host, and what could start one. Reads only.
#
#   schedule-look.sh ROOT UNIT MARK      MARK is the line that begins our entry in the crontab
set -eu

root=$1 unit=$2 mark=$3
section() { printf '\n@@%s\n' "$*"; }

section host
printf 'now=%s\ntimezone=%s\nuser=%s\n' "$(date +%s)" "$(date +%z)" "$(id -un)"
if [ -d /run/systemd/system ]; then
    if [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then printf 'systemd=yes\n'; fi
    if systemctl is-active --quiet "$unit.timer" 2>/dev/null; then printf 'started=yes\n'; fi
fi
if command -v crontab >/dev/null; then
    printf 'cron=yes\n'
    if crontab -l 2>/dev/null | grep -qxF -e "$mark"; then printf 'started=yes\n'; fi
fi
if [ -e /run/crond.pid ] || [ -e /run/cron.pid ] || cat /proc/[0-9]*/comm 2>/dev/null | grep -qx -e cron -e crond; then
    printf 'cron_runs=yes\n'
fi
if command -v curl >/dev/null; then printf 'curl=yes\n'; fi
printf 'socket=%s\n' "${DOCKER_HOST:-$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || printf 'unix:///var/run/docker.sock')}"
if [ -f "$root/schedule/lock" ] && ! flock -n "$root/schedule/lock" true; then printf 'going=yes\n'; fi
if [ -f "$root/schedule/values" ]; then
    # an engine that does not answer is another trouble
    if docker image inspect "$(sed -n 2p "$root/schedule/values")" >/dev/null 2>&1 || ! docker version >/dev/null 2>&1; then
        printf 'keeper=yes\n'
    fi
fi
if [ -f "$root/schedule/schedule.json" ]; then section schedule; cat "$root/schedule/schedule.json"; fi
if [ -f "$root/backups/runs.jsonl" ]; then section runs; tail -n 300 "$root/backups/runs.jsonl"; fi
section end
