# Looks after what stands beside the backups of a machine about those off it.
#
#   offsite.sh FOLDER sweep PROJECT      removes what a run that was killed has left
#   offsite.sh FOLDER known              prints what was remembered of the repository
#   offsite.sh FOLDER remember           remembers what comes on standard input
set -eu

folder=$1 verb=$2
umask 077
mkdir -p "$folder/.offsite"
cd "$folder/.offsite"
case $verb in
    sweep)
        for one in $(docker ps --all --quiet --filter "label=windlass.offsite=$3"); do
            docker rm --force "$one" >/dev/null 2>&1 || true
        done
        rm -rf drill
        find . -maxdepth 1 -name 'work.*' -mmin +1440 -exec rm -rf {} +
        ;;
    known) cat known.json 2>/dev/null || true ;;
    remember)
        cat >.known.json
        mv .known.json known.json
        ;;
esac
