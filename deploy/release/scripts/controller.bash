# Has the state of a cluster's edges ready as an archive that is named by its digest, for controller.lua to hand out.
#
#   controller.bash run     looks every second whether the files have changed, beside the HAProxy that answers
#   controller.bash told    looks now, and prints the digest and what each edge has: "NODE SECONDS DIGEST TROUBLE"
set -u

state=/state

# The same files give the same archive.
pack() (
    flock 9
    cd /edge/etc || exit
    set -- haproxy.cfg maintenance.map maintenance.html
    if [ -d /edge/certs ]; then
        cd /edge/certs || exit
        set -- -C /edge/etc "$@" -C /edge/certs issued.map ./*.pem
    fi
    # what is being changed is looked at again
    tar -c -f "$state/arriving" --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=0600 "$@" || exit
    digest=$(sha256sum <"$state/arriving" | cut -d ' ' -f 1)
    if [ "$digest" = "$(cat "$state/newest" 2>/dev/null)" ]; then exit; fi
    mv "$state/arriving" "$state/$digest.tar"
    printf '%s' "$digest" >"$state/newest.new"
    mv "$state/newest.new" "$state/newest"
    for old in "$state"/*.tar; do
        if [ "$old" != "$state/$digest.tar" ]; then rm "$old"; fi
    done
) 9>"$state/lock"

case $1 in
    run)
        while :; do
            pack
            sleep 1
        done &
        exec haproxy -db -f /etc/windlass/controller.cfg
        ;;
    told)
        pack
        exec 3<>/dev/tcp/127.0.0.1/9997 || exit 1
        printf 'GET / HTTP/1.0\r\n\r\n' >&3
        sed '1,/^\r*$/d' <&3
        ;;
esac
