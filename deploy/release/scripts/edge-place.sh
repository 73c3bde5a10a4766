# Unpacks the files of an edge that come as a tar on standard input into ROOT/edge/.next, and puts certificates in their place.
#
#   edge-place.sh ROOT IMAGE [STACK]
#
# On a cluster, STACK is the edge's own. Another manager may have been worked through until now: then what this node's edge was
# given last, certificates and the page, counts more than what is left here of an earlier time.
set -eu

root=$1 image=$2 stack=${3:-}
volume=${stack:+$stack-state}

# Certificates belong to the user that HAProxy runs as; what is there, placeholder or real, stays.
place_certificates() {
    missing=
    for pem in .next/certs/*.pem; do [ -f "certs/${pem##*/}" ] || missing=yes; done
    if [ -z "$missing" ]; then return 0; fi
    known=
    if [ -n "$volume" ] && docker volume inspect "$volume" >/dev/null 2>&1; then known="--volume $volume:/known:ro"; fi
    # shellcheck disable=SC2016,SC2086  # expanded by the shell in the container; no word or two
    docker run --rm --network none --user 0:0 --entrypoint bash --volume "$root/edge:/edge" $known "$image" -euc '
        cd /edge
        mkdir -p certs
        for pem in .next/certs/*.pem; do
            name=${pem##*/}
            issued=no
            if [ -f "/known/current/$name" ] && grep -qx "${name%.pem} yes" /known/current/issued.map; then
                pem=/known/current/$name issued=yes
            fi
            [ -f "certs/$name" ] || install -o 99 -g 99 -m 0600 "$pem" "certs/$name"
            grep -q "^${name%.pem} " certs/issued.map 2>/dev/null || printf "%s %s\n" "${name%.pem}" "$issued" >>certs/issued.map
        done
        chown 99:99 certs certs/issued.map
        chmod 0755 certs
        chmod 0644 certs/issued.map
    '
}

take_over() {
    if [ -z "$volume" ] || ! docker volume inspect "$volume" >/dev/null 2>&1; then return 0; fi
    if [ -n "$(docker ps --quiet --filter "label=com.docker.swarm.service.name=${stack}_controller")" ]; then return 0; fi
    # shellcheck disable=SC2016  # expanded by the shell in the container
    docker run --rm --network none --user 0:0 --entrypoint bash --volume "$root/edge:/edge" --volume "$volume:/state:ro" "$image" -euc '
        cd /state/current 2>/dev/null || exit 0
        mkdir -p /edge/certs
        for pem in *.pem; do
            if [ -f "$pem" ]; then install -o 99 -g 99 -m 0600 "$pem" "/edge/certs/$pem"; fi
        done
        if [ -f issued.map ]; then install -o 99 -g 99 -m 0644 issued.map /edge/certs/issued.map; fi
        chown 99:99 /edge/certs
        chmod 0755 /edge/certs
        if [ -f maintenance.map ]; then
            owner=$(stat -c %u:%g /edge/etc)
            for file in maintenance.map maintenance.html; do
                cat "$file" >"/edge/etc/$file"
                chown "$owner" "/edge/etc/$file"
                chmod 0644 "/edge/etc/$file"
            done
        fi
    '
    if ! grep -qs '^mode on' etc/maintenance.map; then
        rm -f maintenance.json
    elif ! [ -f maintenance.json ]; then
        printf '{"by": "another manager", "since": "%s", "message": ""}\n' "$(date -u +%Y-%m-%dT%H:%M+00:00)" >maintenance.json
    fi
}

cd "$root/edge"
take_over
rm -rf .next
mkdir -m 0755 .next
tar -x -p -f - -C .next --no-same-owner
if [ -f etc/maintenance.map ]; then rm .next/etc/maintenance.map; fi
if [ -d .next/certs ]; then place_certificates; rm -r .next/certs; fi
