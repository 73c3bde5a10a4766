#!/bin/sh
# Writes a Debian root file system (tar) to standard output: the ground of every base image that is built here.
#
#   debian.sh SUITE        e.g. debian.sh trixie | docker import - debian:trixie-slim
#
# Needs root and a Debian or Ubuntu machine. Packages come from the Debian mirror this machine already uses, or from
# mmdebstrap's own default. The image trusts the certificate authorities this machine trusts, so that package
# managers inside a build work behind the same inspecting proxy as those outside.
set -eu

suite=${1:?usage: debian.sh SUITE}

command -v mmdebstrap >/dev/null || {
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap >&2
}
[ -f /usr/share/keyrings/debian-archive-keyring.gpg ] ||
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debian-archive-keyring >&2

# /etc/apt/sources.list may be missing (deb822 machines): read what is there.
mirror=$(find /etc/apt/sources.list /etc/apt/sources.list.d -type f \
    -exec sed -n '/^ *#/d; s#.*\(https\{0,1\}://[^ ]*/debian\)/\{0,1\}\( .*\)\{0,1\}$#\1#p' {} + 2>/dev/null | head -n 1)

# shellcheck disable=SC2016  # $1 is expanded by mmdebstrap's hook shell: the root of the new file system
exec mmdebstrap --quiet --variant=minbase --include=ca-certificates \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/lintian/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-include=/usr/share/locale/locale.alias' \
    --customize-hook='printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d" && chmod 755 "$1/usr/sbin/policy-rc.d"' \
    --customize-hook='copy-in /etc/ssl/certs/ca-certificates.crt /usr/local/share/ca-certificates' \
    --customize-hook='chroot "$1" update-ca-certificates >/dev/null 2>&1' \
    --customize-hook='printf "%s\n" "DPkg::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin\"; };" "Dir::Cache::pkgcache \"\";" "Dir::Cache::srcpkgcache \"\";" "Acquire::Languages \"none\";" "APT::Install-Recommends \"false\";" >"$1/etc/apt/apt.conf.d/docker-slim"' \
    --customize-hook='echo force-unsafe-io >"$1/etc/dpkg/dpkg.cfg.d/docker-slim"' \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/log/*.log "$1"/var/log/apt "$1/etc/resolv.conf" "$1/etc/hostname"' \
    "$suite" - ${mirror:+"$mirror"}
