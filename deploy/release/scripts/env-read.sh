# Prints the env file that somebody has left on the host; nothing where there is none.
#
#   env-read.sh ROOT
set -eu

if [ -f "$1/env" ]; then cat "$1/env"; fi
