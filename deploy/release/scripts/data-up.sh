# Brings the data services to the state that stage.sh left in data.next.
#
#   data-up.sh ROOT TIMEOUT_S
set -eu

root=$1
timeout_s=$2

cd "$root"
if [ -d data.next ]; then
    # files are laid over, not swapped: containers hold bind mounts of what is there
    rm -f data/state.json
    for entry in data.next/*; do
        [ "$entry" = data.next/state.json ] || cp -a "$entry" data/
    done
fi
cd data
docker compose --ansi never --file compose.yaml up --detach --wait --wait-timeout "$timeout_s" --remove-orphans
if [ -d ../data.next ]; then
    # only now is it true: what runs is what the state says
    mv ../data.next/state.json state.json
    rm -rf ../data.next
fi
