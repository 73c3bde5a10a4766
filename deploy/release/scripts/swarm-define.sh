# Unpacks another definition of the data services, which comes as a tar on standard input, beside the one that holds.
#
#   swarm-define.sh ROOT FOLDER
#
# FOLDER under ROOT has the files of both then.
set -eu

cd "$1"
umask 077
rm -rf "$2"
mkdir -p "$2/files"
if [ -d data/files ]; then cp -R data/files/. "$2/files/"; fi
tar -x -f - -C "$2" --no-same-owner
