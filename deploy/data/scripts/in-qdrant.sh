# Calls Qdrant's REST API inside its container, which has bash and neither curl nor wget, with the key it was given itself.
#
#   in-qdrant.sh CONTAINER call METHOD PATH [BODY]     prints the answer
#   in-qdrant.sh CONTAINER download PATH               prints a file
#   in-qdrant.sh CONTAINER upload PATH SIZE_BYTES      sends standard input as the file of a form
#
# Status 1 and the answer on standard error for anything but 200.
set -eu

container=$1
shift

# shellcheck disable=SC2016  # expanded by the shell in the container
exec docker exec -i "$container" bash -euc '
    verb=$1 method=GET path=$2 body= size=0
    case $verb in
        call) method=$2 path=$3 body=${4:-} ;;
        upload) method=POST size=$3 ;;
    esac
    export LC_ALL=C  # lengths are of bytes
    return=$(printf "\r")
    end="$return
"
    line() { printf "%s%s" "$1" "$end" >&3; }
    exec 3<>"/dev/tcp/127.0.0.1/${QDRANT__SERVICE__HTTP_PORT:-6333}"
    line "$method $path HTTP/1.0"
    line "Host: localhost"
    if [ -n "${QDRANT__SERVICE__API_KEY:-}" ]; then line "api-key: $QDRANT__SERVICE__API_KEY"; fi
    if [ "$verb" = upload ]; then
        edge=windlass-2b1c7f
        about="Content-Disposition: form-data; name=\"snapshot\"; filename=\"snapshot\""
        before="--$edge$end$about${end}Content-Type: application/octet-stream$end$end"
        after="$end--$edge--$end"
        line "Content-Type: multipart/form-data; boundary=$edge"
        line "Content-Length: $((${#before} + size + ${#after}))"
        line ""
        printf "%s" "$before" >&3
        cat >&3
        printf "%s" "$after" >&3
    else
        if [ -n "$body" ]; then line "Content-Type: application/json"; fi
        line "Content-Length: ${#body}"
        line ""
        printf "%s" "$body" >&3
    fi
    read -r _ status _ <&3
    while IFS= read -r head <&3 && [ -n "${head%"$return"}" ]; do :; done
    if [ "$status" != 200 ]; then
        printf "Qdrant answered %s: " "$status" >&2
        cat <&3 >&2
        exit 1
    fi
    cat <&3
' in-qdrant "$@"
