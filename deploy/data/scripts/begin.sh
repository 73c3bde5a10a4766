# Makes the folder that a backup is written into. Its name says that it is none yet.
#
#   begin.sh FOLDER ID EXPECTED_BYTES
set -eu

folder=$1 id=$2 expected=$3

umask 077
mkdir -p "$folder"
cd "$folder"
# what a run that was killed has left: whoever holds the lock is the only one who writes here
rm -rf .*.partial
# and what a restore that was killed has decrypted; that of one which goes on is younger
find . -maxdepth 1 -name '.*.decrypted' -mmin +1440 -exec rm -rf {} +
free=$(df -Pk . | awk 'NR == 2 { print $4 * 1024 }')
if [ "$free" -lt "$expected" ]; then
    printf '%s bytes are free in %s, about %s are needed\n' "$free" "$folder" "$expected" >&2
    exit 1
fi
if [ -e "$id" ]; then
    printf '%s exists already\n' "$id" >&2
    exit 1
fi
mkdir ".$id.partial"
