# Runs HAProxy on a node of a cluster, in the state that the project's controller has: it is asked every second, through a
# door of our own, a small proxy at 127.0.0.1 that shows the controller a certificate.
#
#   node-edge.bash
#
# Each state is a folder of /var/lib/haproxy, named by its digest: haproxy.cfg, maps, the page, certificates. The link
# `current` leads to the one in force. The folder outlives the container: where no controller answers, it starts as it was.
set -u

# shellcheck source=deploy/release/scripts/edge-runtime.bash
. "${0%/*}/edge-runtime.bash"
home=/var/lib/haproxy
current=$home/current
haproxy=(haproxy -W -db -S ipv4@127.0.0.1:9998 -f "$current/haproxy.cfg")
trouble='' digest=''
umask 077
cd "$home" || exit 1

# Asks what is true now. Status 0: $digest is a state, unpacked, that is not in force yet.
fetch() {
    local status='' name value
    exec 4<>/dev/tcp/127.0.0.1/9997 || return 1
    digest=
    printf 'GET / HTTP/1.0\r\nX-Node: %s\r\nX-Has: %s\r\nX-Trouble: %s\r\n\r\n' \
        "${NODE:-}" "$(readlink "$current")" "$(printf '%s' "$trouble" | tr -c '[:print:]' ' ' | head -c 400)" >&4
    IFS=' ' read -r -t 20 -u 4 _ status _ || status=
    while IFS=': ' read -r -t 20 -u 4 name value; do
        value=${value%$'\r'}
        case ${name%$'\r'} in
            '') break ;;
            x-digest) digest=$value ;;
        esac
    done
    if [ "$status" = 200 ]; then timeout 60 cat <&4 >.arriving; fi
    exec 4>&-
    [ "$status" = 200 ] && [[ $digest =~ ^[0-9a-f]{64}$ ]] || return 1
    [ "$digest" = "$(sha256sum <.arriving | cut -d ' ' -f 1)" ] || return 1
    rm -rf .next
    mkdir .next && tar -x -f .arriving -C .next && rm -rf "$digest" && mv .next "$digest" && rm .arriving
}

# What HAProxy would not start with is never put in force.
usable() {
    local said
    rm -rf .check
    cp -r "$digest" .check
    sed -i "s,$current/,$home/.check/,g" .check/haproxy.cfg .check/maintenance.html
    if said=$(haproxy -c -f .check/haproxy.cfg 2>&1); then
        trouble=
        return
    fi
    if [ "$said" != "$trouble" ]; then printf 'this state cannot be used: %s\n' "$said"; fi
    trouble=$said
    return 1
}

point() { ln -sfn "$digest" .link && mv -T .link current; }

forget() {
    local folder keep
    keep=$(readlink current)
    for folder in *; do
        if [ "${#folder}" = 64 ] && [ "$folder" != "$keep" ]; then rm -rf "$folder"; fi
    done
}

same() { cmp -s "$1/$3" "$2/$3"; }

# Brings the running HAProxy from one folder to another one, by the runtime API where that can do it.
follow() {
    local before=$1 file name
    if ! same "$before" "$digest" haproxy.cfg || ! same "$before" "$digest" maintenance.html; then
        reload
        return
    fi
    for file in "$digest"/*.pem; do
        name=${file##*/}
        if [ -f "$file" ] && ! same "$before" "$digest" "$name"; then load "$current/$name" || trouble="$name cannot be used"; fi
    done
    for name in issued.map maintenance.map; do
        if [ -f "$digest/$name" ]; then change_map "$name" || trouble="the running HAProxy does not take $name"; fi
    done
}

# The last line first: a message is there before its page is shown.
change_map() {
    local line lines=''
    while IFS= read -r line; do lines="set map $current/$1 $line;$lines"; done <"$digest/$1"
    admin "${lines%;}" >/dev/null
    [ "$(admin "show map $current/$1" | cut -d ' ' -f 2- | grep . | sort)" = "$(sort "$digest/$1")" ]
}

pid() { admin 'show info' | sed -n 's/^Pid: //p'; }

# The new worker has the addresses of the old one at once, and takes over its sockets. A runtime command to the old one
# would be lost: it is waited for until the new one is who answers.
reload() {
    local old new taken=0
    old=$(pid)
    admin 'show servers state' >servers
    trouble='HAProxy does not answer'
    exec 3<>/dev/tcp/127.0.0.1/9998 || return
    printf 'reload\n' >&3
    trouble=$(timeout 30 cat <&3)
    exec 3>&-
    if [[ $trouble != *Success=1* ]]; then
        printf 'the configuration could not be loaded: %s\n' "$trouble"
        return
    fi
    trouble=
    for _ in {1..100}; do
        new=$(pid 2>/dev/null)
        if [ -n "$new" ] && [ "$new" != "$old" ]; then taken=$((taken + 1)); fi
        if [ "$taken" -ge 2 ]; then break; fi
        sleep 0.05
    done
    printf 'a new configuration is loaded\n'
}

: >servers # addresses of another time may be somebody else's now
while :; do
    haproxy -db -f /etc/windlass/door.cfg
    sleep 1
done &
# a node that was away asks first, and starts as it was where nobody answers
until [ "$SECONDS" -ge 5 ] && [ -e current/haproxy.cfg ]; do
    if fetch 2>/dev/null; then
        if usable; then point && break; fi
    elif [ -n "$digest" ] && [ "$digest" = "$(readlink current)" ]; then
        break
    fi
    sleep 0.2
done
forget
# what changes before HAProxy answers would be put in force without it
{
    until [ -n "$(pid 2>/dev/null)" ]; do sleep 0.2; done
    while sleep 1; do
        if fetch 2>/dev/null && usable; then
            before=$(readlink current)
            point
            follow "$before"
            forget
        fi
    done
} &
# HAProxy would not end while it has children that it does not know
"${haproxy[@]}" &
main=$!
trap 'kill -USR1 "$main"' USR1 TERM INT
while kill -0 "$main" 2>/dev/null; do wait "$main"; done
