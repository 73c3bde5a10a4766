# Asks the edge for a page, from inside its own container. Prints the status line.
#
#   probe.sh CONTAINER PORT PATH HOST
set -eu

docker exec "$1" bash -c '
    exec 3<>/dev/tcp/127.0.0.1/$1
    printf "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: windlass\r\nConnection: close\r\n\r\n" "$2" "$3" >&3
    read -r -t 20 line <&3 && printf "%s\n" "$line"
' probe "$2" "$3" "$4"
