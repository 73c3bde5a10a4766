# What an edge is told while it runs, by HAProxy's runtime API. Read by the scripts that run HAProxy.

admin() {
    exec 3<>/dev/tcp/127.0.0.1/9999 || return 1
    printf '%s\n' "$1" >&3
    cat <&3
    exec 3>&-
}

# Gives HAProxy a certificate that has changed in its file: no reload, no new worker.
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
        return 1
    fi
    printf 'the certificate of %s is in use\n' "$name"
}
