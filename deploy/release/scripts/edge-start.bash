# Runs HAProxy, and gives it each certificate that changes in /certs through its runtime API: no reload, no new worker.
#
#   edge-start.bash HAPROXY...
set -u

# shellcheck source=deploy/release/scripts/edge-runtime.bash
. "${0%/*}/edge-runtime.bash"
certs=/certs
declare -A known

take() {
    local name=${1##*/}
    name=${name%.pem}
    load "$1" || return
    if grep -qxF "$name yes" "$certs/issued.map"; then admin "set map $certs/issued.map $name yes" >/dev/null; fi
}

for pem in "$certs"/*.pem; do known[$pem]=$(cksum <"$pem"); done
while sleep 2; do
    for pem in "$certs"/*.pem; do
        now=$(cksum <"$pem")
        if [ "$now" != "${known[$pem]:-}" ]; then
            known[$pem]=$now
            take "$pem"
        fi
    done
done &
exec "$@"
