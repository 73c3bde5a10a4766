# Brings the data services to the state that stage.sh left in data.next.
#
#   data-up.sh ROOT TIMEOUT_S
set -eu

root=$1
timeout_s=$2

cd "$root"
if [ -d data.next ]; then
    # files are laid over, not swapped: containers hold bind mounts of what is there
    cp -a data.next/. data/
    rm -rf data.next
fi
cd data
docker compose --file compose.yaml up --detach --wait --wait-timeout "$timeout_s" --remove-orphans
