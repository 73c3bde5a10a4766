# Lets this host install updates of its packages by itself, once a day. Run as root, any number of times.
#
#   updates.sh
#
# What counts as an update is the distribution's own choice (/etc/apt/apt.conf.d/50unattended-upgrades).
set -eu
export PATH="/usr/sbin:/usr/bin:/sbin:/bin:${PATH:-}"

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "not root: run as root, or give this user sudo without a password"
command -v apt-get >/dev/null || fail "this distribution has no apt-get: turn its own updates on by hand"
if ! dpkg -s unattended-upgrades 2>/dev/null | grep -q '^Status: .* installed$'; then
    # a machine just delivered has no lists
    { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends unattended-upgrades ||
        { apt-get update -qq &&
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends unattended-upgrades; }
    } >/dev/null 2>&1 || fail "apt-get install unattended-upgrades failed"
    say "installed unattended-upgrades $(dpkg-query -W -f '${Version}' unattended-upgrades)"
fi
file=/etc/apt/apt.conf.d/20auto-upgrades
wanted='APT::Periodic::Update-Package-Lists "1";
APT::Periodic::Unattended-Upgrade "1";'
if [ "$(cat "$file" 2>/dev/null)" != "$wanted" ]; then
    printf '%s\n' "$wanted" >"$file.new"
    chmod 0644 "$file.new"
    mv "$file.new" "$file"
    say "turned on daily updates in $file"
fi
if [ -d /run/systemd/system ]; then
    for timer in apt-daily.timer apt-daily-upgrade.timer; do
        if ! systemctl is-enabled --quiet "$timer" || ! systemctl is-active --quiet "$timer"; then
            systemctl enable --quiet --now "$timer" || fail "systemctl could not start $timer"
            say "started $timer"
        fi
    done
elif ! command -v cron >/dev/null || ! [ -x /etc/cron.daily/apt-compat ]; then
    fail "nothing here starts them: there is neither systemd nor cron"
fi
