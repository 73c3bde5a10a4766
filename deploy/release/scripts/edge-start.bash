# Runs HAProxy, and gives it each certificate that changes in /certs through its runtime API: no reload, no new worker.
#
#   edge-start.bash HAPROXY...
set -u

certs=/certs
declare -A known

admin() {
    exec 3<>/dev/tcp/127.0.0.1/9999 || return 1
    printf '%s\n' "$1" >&3
    cat <&3
    exec 3>&-
}

load() {
    local pem=$1 name answer
    name=${pem##*/}
    name=${name%.pem}
    answer=$(admin "set ssl cert $pem <<
$(cat "$pem")
")
    answer+=$(admin "commit ssl cert $pem")
    if [[ $answer != *Success* ]]; then
        admin "abort ssl cert $pem" >/dev/null
        printf 'the certificate of %s cannot be used: %s\n' "$name" "${answer//$'\n'/ }"
        return
    fi
    if grep -qxF "$name yes" "$certs/issued.map"; then admin "set map $certs/issued.map $name yes" >/dev/null; fi
    printf 'the certificate of %s is in use\n' "$name"
}

for pem in "$certs"/*.pem; do known[$pem]=$(cksum <"$pem"); done
while sleep 2; do
    for pem in "$certs"/*.pem; do
        now=$(cksum <"$pem")
        if [ "$now" != "${known[$pem]:-}" ]; then
            known[$pem]=$now
            load "$pem"
        fi
    done
done &
exec "$@"
