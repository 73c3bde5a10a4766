# Gets a certificate for every name, and a new one in time: twice a day it looks, and sooner after a failure.
#
#   acme.sh SERVER EMAIL NAME...
#
# In /certs: NAME.pem is what the edge uses, NAME.failed what the last try ended with, issued.map which names have one.
set -u

server=$1 email=$2
shift 2
PATH=$PATH:/
umask 077
trap 'exit 0' TERM INT

# each authority has a folder of its own: after a change of server its certificates are wanted, not those of the one before
folder=/certs/lego/$(printf '%s' "$server" | cksum | cut -d ' ' -f 1)
client() { lego --path "$folder" --accept-tos --server "$server" --email "$email" --http --http.port :5002 "$@" 2>&1; }

# the names of the new files are taken over only when they are whole
install_certificate() {
    ours=$folder/certificates/$1
    # an empty line would end the certificate before its time on its way into HAProxy
    grep -hv '^[[:space:]]*$' "$ours.crt" "$ours.key" >"/certs/.$1" || return 1
    if ! cmp -s "/certs/.$1" "/certs/$1.pem"; then
        sed "s/^$1 no\$/$1 yes/" /certs/issued.map >/certs/.issued && chmod 644 /certs/.issued && mv /certs/.issued /certs/issued.map
        mv "/certs/.$1" "/certs/$1.pem"
        printf 'the certificate of %s is there\n' "$1"
    fi
}

obtain() {
    if [ -f "$folder/certificates/$1.crt" ]; then
        said=$(client --domains "$1" renew --days 30 --no-random-sleep)
    else
        said=$(client --domains "$1" run)
    fi && install_certificate "$1"
}

# where others have to find us by a name that is as new as we are
sleep "${FOUND_AFTER_S:-0}" &
wait $!

failures=0
while :; do
    failed=
    for name in "$@"; do
        if obtain "$name"; then
            rm -f "/certs/$name.failed"
        else
            failed=yes
            printf '%s\n' "$said"
            printf '%s\n' "$said" | tail -n 1 >"/certs/.failed" && chmod 644 /certs/.failed && mv /certs/.failed "/certs/$name.failed"
        fi
    done
    pause_s=43200
    if [ "$failed" ]; then
        # an authority counts failures: Let's Encrypt allows five in an hour
        case $failures in 0) pause_s=5 ;; 1) pause_s=60 ;; 2) pause_s=600 ;; *) pause_s=3600 ;; esac
        failures=$((failures + 1))
    else
        failures=0
    fi
    sleep "$pause_s" &
    wait $!
done
