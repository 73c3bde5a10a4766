# Notes what a release has made true of the data services: the parts that they are made of.
#
#   swarm-stands.sh ROOT RELEASE
set -eu

cd "$1"
cp "releases/$2/swarm/data/state.json" data/state.json.new
mv data/state.json.new data/state.json
