# Prints what a project takes of the disk: "FOLDER=KB" for each of its folders, and the size of each of its images, in bytes,
# as "image=BYTES". Layers that images share are in each of them.
#
#   usage.sh ROOT PROJECT
set -eu

for folder in releases backups shared incoming; do
    if [ -d "$1/$folder" ]; then
        # what belongs to a service's own user may be closed to us
        printf '%s=%s\n' "$folder" "$(du -sk "$1/$folder" 2>/dev/null | cut -f 1)"
    fi
done
docker image ls --quiet --no-trunc --filter "reference=$2/*" | sort -u |
    xargs -r docker image inspect --format 'image={{.Size}}'
