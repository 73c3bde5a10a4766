# Puts firewall rules in force for a while: they are taken back unless firewall-keep.sh is run in time. Run as root.
#
#   firewall-try.sh SECONDS         the rules on standard input
#
# Its last line of output names the folder that firewall-keep.sh wants. A connection that is there stays there under any of our rules, so that only a new one can tell whether they let us in.
set -eu
export PATH="/usr/sbin:/usr/bin:/sbin:/bin:${PATH:-}"

seconds=$1

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

if ! command -v nft >/dev/null; then
    command -v apt-get >/dev/null || fail "there is no nft, and no apt-get to install it: install nftables by hand"
    { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nftables ||
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nftables; }
    } >/dev/null 2>&1 || fail "there is no nft, and apt-get could not install nftables: install it by hand"
    say "installed nftables $(dpkg-query -W -f '${Version}' nftables)"
fi
nft list tables >/dev/null || fail "nft is there, and the kernel does not obey it: no firewall can be made here"

for other in /run/windlass-firewall.*; do
    if [ -d "$other" ]; then fail "other rules are being tried here at this moment: wait $seconds s"; fi
done
# a name that is never used again: who wakes up late must not find the folder of a later try
work=$(mktemp -d /run/windlass-firewall.XXXXXXXX)
cat >"$work/new.nft"
if ! nft --check --file "$work/new.nft"; then
    rm -rf "$work"
    fail "these rules are not understood by $(nft --version)"
fi
if [ -f /etc/windlass/firewall.nft ]; then
    cp /etc/windlass/firewall.nft "$work/old.nft"
else
    printf 'table inet windlass\ndelete table inet windlass\n' >"$work/old.nft"
fi
# whoever makes the folder `decided` first has decided: this one in the background, or firewall-keep.sh
# shellcheck disable=SC2016  # the other shell's parameters
setsid sh -c '
    sleep "$1"
    mkdir "$2/decided" 2>/dev/null || exit 0
    nft --file "$2/old.nft"
    rm -rf "$2"
' rollback "$seconds" "$work" </dev/null >/dev/null 2>&1 &
nft --file "$work/new.nft" || fail "nft could not load the rules; those before are still in force"
printf '%s\n' "$work"
