# The folder on the host that has the files of a rehearsal.
#
#   rehearsal.sh unpack FOLDER      makes it from a tar on standard input
#   rehearsal.sh remove FOLDER
set -eu

case $1 in
    unpack)
        umask 077
        mkdir "$2"
        # shipped files keep their modes, which whoever a container runs as may need; the folder itself is closed
        tar -x -p -f - -C "$2" --no-same-owner
        ;;
    remove) rm -rf "$2" ;;
esac
