# Keeps the firewall rules that are being tried, over restarts too. Run as root, over a connection made under them.
#
#   firewall-keep.sh WORK {systemd|cron} PROJECT PORT...
#
# WORK is what firewall-try.sh printed last; a PORT is 443 or 53/udp, what this project wants let in.
set -eu
export PATH="/usr/sbin:/usr/bin:/sbin:/bin:${PATH:-}"

work=$1
starter=$2
project=$3
shift 3
folder=/etc/windlass

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }
put() { cat >"$1.new" && chmod 0644 "$1.new" && mv "$1.new" "$1"; }

mkdir "$work/decided" 2>/dev/null || fail "the new rules were taken back already: the connection came too late"

install -d -m 0755 "$folder" "$folder/firewall.d"
printf '%s\n' "$@" | put "$folder/firewall.d/$project"
put "$folder/firewall.nft" <"$work/new.nft"
nft=$(command -v nft)
case $starter in
    systemd)
        put /etc/systemd/system/windlass-firewall.service <<UNIT
[Unit]
Description=Firewall of Windlass
DefaultDependencies=no
After=local-fs.target nftables.service
Before=network-pre.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=$nft --file $folder/firewall.nft
ExecStop=$nft delete table inet windlass

[Install]
WantedBy=multi-user.target
UNIT
        systemctl daemon-reload
        systemctl enable --quiet windlass-firewall
        say "windlass-firewall.service loads the rules at every start"
        ;;
    cron)
        printf '@reboot root %s --file %s\n' "$nft" "$folder/firewall.nft" | put /etc/cron.d/windlass-firewall
        say "cron loads the rules at every start"
        ;;
esac
rm -rf "$work"
