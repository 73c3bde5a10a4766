# Makes a user that deploys on this host, lets keys in as that user, and gives it the project's folder. Run as root, any
# number of times.
#
#   user.sh USER FOLDER {docker|sudo}       public keys on standard input, one a line
#
# Every line on standard output says what was done; errors go to standard error.
set -eu
export PATH="/usr/sbin:/usr/bin:/sbin:/bin:${PATH:-}"

user=$1
folder=$2
way=$3

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "not root: run as root, or give this user sudo without a password"
if ! id "$user" >/dev/null 2>&1; then
    # no password at all: with a locked one some configurations of sshd refuse keys too
    useradd --create-home --shell /bin/bash --password '*' "$user" || fail "useradd could not make the user $user"
    say "made the user $user"
fi
group=$(id -gn "$user")

case $way in
    docker)
        if ! id -nG "$user" | tr ' ' '\n' | grep -qx docker; then
            usermod -aG docker "$user"
            say "added $user to the group docker"
        fi
        ;;
    sudo)
        command -v visudo >/dev/null || fail "there is no sudo here: apt-get install sudo, or leave --sudo out"
        file=/etc/sudoers.d/windlass-$user
        line="$user ALL=(root) NOPASSWD: ALL"
        if [ "$(cat "$file" 2>/dev/null)" != "$line" ]; then
            draft=$(mktemp)
            printf '%s\n' "$line" >"$draft"
            visudo -cqf "$draft" || fail "sudo does not accept: $line"
            install -m 0440 "$draft" "$file"
            rm -f "$draft"
            say "let $user use sudo without a password"
        fi
        ;;
esac

# as that user: what stands in a home belongs to whoever may have put links there
# shellcheck disable=SC2016  # the other shell's variables
runuser -u "$user" -- sh -euc '
    umask 077
    cd
    mkdir -p .ssh
    touch .ssh/authorized_keys
    while read -r type key comment; do
        if ! grep -qF "$type $key" .ssh/authorized_keys; then
            if [ -n "$(tail -c 1 .ssh/authorized_keys)" ]; then echo >>.ssh/authorized_keys; fi
            printf "%s\n" "$type $key${comment:+ $comment}" >>.ssh/authorized_keys
            printf "let in the key %s as %s\n" "${comment:-$type}" "$1"
        fi
    done
' keys "$user" || fail "the keys could not be written to the home of $user"

if ! [ -d "$folder" ]; then
    install -d -m 0750 -o "$user" -g "$group" "$folder"
    say "made $folder"
else
    # what the owner before wrote goes to the new one, and what somebody wrote through sudo; what containers wrote under
    # numbers of their own stays theirs
    owner=$(stat -c %u "$folder")
    also=$owner
    if [ "$way" = docker ]; then also=0; fi
    theirs() {
        find "$folder" -xdev -path "$folder/shared/*" -prune -o \( -user "$owner" -o -user "$also" \) ! -user "$user" "$@"
    }
    if [ -n "$(theirs -print -quit)" ]; then
        before=$(stat -c %U "$folder")
        theirs -exec chown -h "$user:$group" {} +
        chmod 0750 "$folder"
        say "gave $folder to $user; it was of $before"
    fi
fi
