# Unpacks the files of an edge that come as a tar on standard input into ROOT/edge/.next, and puts certificates in their place.
#
#   edge-place.sh ROOT IMAGE
set -eu

root=$1 image=$2

# Certificates belong to the user that HAProxy runs as; what is there, placeholder or real, stays.
place_certificates() {
    missing=
    for pem in .next/certs/*.pem; do [ -f "certs/${pem##*/}" ] || missing=yes; done
    if [ -z "$missing" ]; then return 0; fi
    # shellcheck disable=SC2016  # expanded by the shell in the container
    docker run --rm --network none --user 0:0 --entrypoint bash --volume "$root/edge:/edge" "$image" -euc '
        cd /edge
        mkdir -p certs
        for pem in .next/certs/*.pem; do
            name=${pem##*/}
            [ -f "certs/$name" ] || install -o 99 -g 99 -m 0600 "$pem" "certs/$name"
            grep -q "^${name%.pem} " certs/issued.map 2>/dev/null || printf "%s no\n" "${name%.pem}" >>certs/issued.map
        done
        chown 99:99 certs certs/issued.map
        chmod 0755 certs
        chmod 0644 certs/issued.map
    '
}

cd "$root/edge"
rm -rf .next
mkdir -m 0755 .next
tar -x -p -f - -C .next --no-same-owner
if [ -f etc/maintenance.map ]; then rm .next/etc/maintenance.map; fi
if [ -d .next/certs ]; then place_certificates; rm -r .next/certs; fi
