# Ends with status 0 when the cluster's registry answers on this node.
#
#   swarm-door.sh
set -eu

# The engine has no question for a registry alone: an image that is not there is one that the registry said so of.
answer=$(docker manifest inspect --insecure 127.0.0.1:5577/windlass/none:none 2>&1) && exit 0
case $answer in
    *"no such manifest"* | *"manifest unknown"*) ;;
    *)
        printf '%s\n' "$answer" >&2
        exit 1
        ;;
esac
