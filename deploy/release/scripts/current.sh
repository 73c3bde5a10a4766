# Makes a release the current one of a project without public ports; an empty RELEASE means that none is.
#
#   current.sh ROOT RELEASE
set -eu

cd "$1"
if [ -n "$2" ]; then
    ln -sfn "releases/$2" current.new
    mv -T current.new current
else
    rm -f current
fi
