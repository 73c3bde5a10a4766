# Puts a schedule's files in their place, and lets systemd start it where its units are among them.
#
#   schedule-install.sh ROOT UNIT IMAGE IMAGES      the files come as a tar on standard input
#
# IMAGES is the repository of the project's keepers: those before IMAGE go. Each file is replaced as a whole: a run may be
# going on, and a shell reads its script as it goes.
set -eu

root=$1 unit=$2 image=$3 images=$4
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

umask 077
cd "$root"
rm -rf .schedule.new
mkdir .schedule.new
trap 'rm -rf "$root/.schedule.new"' EXIT
tar -C .schedule.new -xf -
mkdir -p schedule
for name in notify webhook offsite.env mounts; do if [ ! -e ".schedule.new/$name" ]; then rm -f "schedule/$name"; fi; done
for file in .schedule.new/*; do
    case $file in *.service | *.timer) ;; *) mv -f "$file" schedule/ ;; esac
done
for kind in service timer; do
    if [ -e ".schedule.new/$unit.$kind" ]; then
        as_root install -m 0644 ".schedule.new/$unit.$kind" "/etc/systemd/system/$unit.$kind"
    fi
done
if [ -e ".schedule.new/$unit.timer" ]; then
    as_root systemctl daemon-reload
    as_root systemctl enable --quiet "$unit.timer"
    as_root systemctl restart "$unit.timer"
fi
docker image ls --format '{{.Repository}}:{{.Tag}}' "$images" | grep -vxF -e "$image" | xargs -r docker image rm >/dev/null 2>&1 || true
