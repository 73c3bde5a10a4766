# Makes this machine able to run compose projects: Docker Engine, compose v2 and buildx from the distribution's own
# packages, the engine started, USER allowed to use it. Run as root, any number of times.
#
#   setup.sh USER FOLDER     USER may be empty; FOLDER, when given, is made for USER
#
# Every line on standard output says what was done or found; errors go to standard error.
set -eu

user=$1
folder=${2:-}

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }
# A session's PATH may lack the folders of system programs, and an older client in /usr/local must not hide Debian's.
export PATH="/usr/sbin:/usr/bin:/sbin:/bin:${PATH:-}"

has_engine() { command -v dockerd >/dev/null; }
has_compose() { docker compose version >/dev/null 2>&1; }
has_buildx() { docker buildx version >/dev/null 2>&1; }
answers() { docker info --format '{{.ServerVersion}}' 2>/dev/null | grep -q .; }
candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([^(].*\)/\1/p'; }

install_packages() {
    [ "$(id -u)" = 0 ] || fail "not root: run as root, or give this user sudo without a password"
    command -v apt-get >/dev/null || fail "this distribution has no apt-get: install Docker Engine, compose v2 and buildx by hand"
    # shellcheck disable=SC1091  # every distribution has it
    . /etc/os-release
    apt-get update -qq || fail "apt-get update failed"
    # Debian 12 has no compose v2: take the engine and its plugins from Debian 13, and nothing else
    case "$ID:${VERSION_CODENAME:-}" in
        debian:bookworm) add_trixie ;;
    esac
    # names: Debian 13 docker-cli and docker-compose; Ubuntu docker.io with the client in it and docker-compose-v2
    packages=
    has_engine || packages="docker.io iptables"
    if ! has_engine && [ -n "$(candidate docker-cli)" ]; then packages="$packages docker-cli"; fi
    if ! has_compose; then
        if dpkg -s docker-ce >/dev/null 2>&1; then packages="$packages docker-compose-plugin"
        elif [ -n "$(candidate docker-compose-v2)" ]; then packages="$packages docker-compose-v2"
        else packages="$packages docker-compose"; fi
    fi
    if ! has_buildx; then
        if dpkg -s docker-ce >/dev/null 2>&1; then packages="$packages docker-buildx-plugin"
        else packages="$packages docker-buildx"; fi
    fi
    # shellcheck disable=SC2086  # a list of package names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null ||
        fail "apt-get install $packages failed"
    for package in $packages; do
        say "installed $package $(dpkg-query -W -f '${Version}' "$package")"
    done
}

add_trixie() {
    mirror=$(find /etc/apt/sources.list /etc/apt/sources.list.d -type f \
        -exec sed -n '/^ *#/d; s#.*\(https\{0,1\}://[^ ]*/debian\)/\{0,1\}\( .*\)\{0,1\}$#\1#p' {} + 2>/dev/null | head -n 1)
    [ -n "$mirror" ] || fail "no Debian mirror found in /etc/apt/sources.list*"
    cat >/etc/apt/sources.list.d/windlass-docker.sources <<SOURCES
Types: deb
URIs: $mirror
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
    cat >/etc/apt/preferences.d/windlass-docker <<PREFERENCES
Package: *
Pin: release n=trixie
Pin-Priority: 50

Package: docker.io docker-cli docker-compose docker-buildx containerd
Pin: release n=trixie
Pin-Priority: 700
PREFERENCES
    apt-get update -qq || fail "apt-get update failed"
    say "added Debian 13 as a source for the engine's own packages"
}

# Lets a push send differences of layers. Nothing else needs it, so a machine without it is no failure.
add_zstd() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null &&
        { apt-get install -y -qq zstd || { apt-get update -qq && apt-get install -y -qq zstd; }; } >/dev/null 2>&1
    then
        say "installed zstd $(dpkg-query -W -f '${Version}' zstd)"
    else
        say "no zstd here: pushes to this machine are larger when a dependency changes"
    fi
}

start_engine() {
    [ "$(id -u)" = 0 ] || fail "not root: run as root, or give this user sudo without a password"
    if [ -d /run/systemd/system ]; then
        systemctl enable --quiet --now docker || fail "systemctl could not start docker; see: journalctl -u docker"
    else
        # no service manager: the engine is a process of its own, and must be started again after a reboot
        rm -f /run/docker.pid
        setsid sh -c 'exec dockerd >>/var/log/dockerd.log 2>&1' </dev/null >/dev/null 2>&1 &
    fi
    tries=0
    until answers; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || fail "the engine does not answer after 30 s; see /var/log/dockerd.log or journalctl -u docker"
        sleep 0.1
    done
    say "started the engine"
}

if has_engine && has_compose && has_buildx; then
    say "found Docker Engine, compose and buildx"
else
    install_packages
fi
command -v zstd >/dev/null || add_zstd
answers || start_engine
say "engine $(docker version --format '{{.Server.Version}}'), compose $(docker compose version --short), storage $(docker info --format '{{.Driver}}')"

if [ -n "$user" ] && [ "$user" != root ] && ! id -nG "$user" | tr ' ' '\n' | grep -qx docker; then
    usermod -aG docker "$user"
    say "added $user to the group docker, from the next login on"
fi
if [ -n "$folder" ] && ! [ -d "$folder" ]; then
    install -d -m 0750 ${user:+-o "$user"} "$folder"
    say "made $folder"
fi
