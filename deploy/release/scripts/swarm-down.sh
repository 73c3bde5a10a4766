# Removes a stack that has not been there before, and waits until its containers are gone.
#
#   swarm-down.sh STACK
set -eu

docker stack rm "$1"
for _ in $(seq 60); do
    if [ -z "$(docker stack ps --quiet --filter desired-state=running "$1" 2>/dev/null)" ]; then break; fi
    sleep 0.5
done
