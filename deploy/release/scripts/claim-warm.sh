# Lets a release that is kept warm run on.
#
#   claim-warm.sh ROOT RELEASE
set -eu

rm -f "$1/releases/$2/warm-until"
