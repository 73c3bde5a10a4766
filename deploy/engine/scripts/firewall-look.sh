# Prints what this host has of firewalls and what it listens on. Reads only. Run as root.
#
#   firewall-look.sh
#
# Sections start with a line "@@name", parsed by deploy/model/firewall.py.
set -eu
export PATH="/usr/sbin:/usr/bin:/sbin:/bin:${PATH:-}"

folder=/etc/windlass

printf '@@about\n'
if command -v nft >/dev/null; then
    if trouble=$(nft list tables 2>&1); then printf 'nft=yes\n'; else printf 'trouble=%s\n' "$(printf '%s' "$trouble" | head -n 1)"; fi
    if nft list table inet windlass >/dev/null 2>&1; then printf 'loaded=yes\n'; fi
fi
if [ -d /run/systemd/system ]; then printf 'starter=systemd\n'
elif [ -d /etc/cron.d ] && command -v cron >/dev/null; then printf 'starter=cron\n'; fi

printf '@@listening\n'
ss -H -lntup 2>/dev/null | awk '{
    program = ""
    if (match($0, /users:\(\("[^"]*"/)) program = substr($0, RSTART + 9, RLENGTH - 10)
    print $1, $5, program
}' || true

printf '@@projects\n'
for file in "$folder"/firewall.d/*; do
    if [ -f "$file" ]; then printf '%s %s\n' "${file##*/}" "$(tr '\n' ' ' <"$file")"; fi
done

printf '@@rules\n'
if [ -f "$folder/firewall.nft" ]; then cat "$folder/firewall.nft"; fi
