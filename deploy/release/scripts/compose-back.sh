# Brings the data services up again that compose-rest.sh has stopped, as they were; those that run are left alone.
#
#   compose-back.sh ROOT TIMEOUT_S
set -eu

cd "$1/data"
if [ -n "$(docker compose --file compose.yaml ps --all --quiet --status exited --status created)" ]; then
    # made anew, since their restart policy is gone
    docker compose --ansi never --file compose.yaml up --detach --wait --wait-timeout "$2" --force-recreate
fi
