# Makes the project's folder: as ourselves where we may, with sudo where we must.
#
#   root.sh ROOT
set -eu

root=$1
if ! mkdir -p "$root" 2>/dev/null || ! [ -w "$root" ]; then
    sudo -n install -d -m 0750 -o "$(id -un)" -g "$(id -gn)" "$root"
fi
cd "$root"
umask 027
mkdir -p releases shared data edge/etc
( umask 077; mkdir -p backups )
chmod 0755 edge edge/etc
