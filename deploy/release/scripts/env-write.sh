# Leaves an env file that comes on standard input on the host, complete or not at all, for the user alone.
#
#   env-write.sh ROOT
#
# The one that was there is kept as env.previous.
set -eu

cd "$1"
umask 077
cat >.env.partial
if [ -f env ]; then cp -p env env.previous; fi
mv .env.partial env
