# Runs restic in a container of its own, and ends it when it stands still or nobody asks for it any more.
#
#   restic.sh FOLDER PROJECT IMAGE STALL_S LOCK LOCAL PLACE TARGET ACCESS ARGUMENT...
#
# FOLDER is the backups' own. LOCK is the file whose age tells that whoever asked is alive, empty for a short question.
# LOCAL is the folder of a repository of this machine, else empty. PLACE, a folder of this machine, is TARGET in the
# container, readable (ro) or writable (rw) as ACCESS says; empty for none. Standard input: lines NAME=VALUE for restic's
# environment, which no process list and no inspection of the container shows.
#
# Prints what restic does. Its status is restic's; 124 when nothing moved for STALL_S.
set -eu

folder=$1 project=$2 image=$3 stall_s=$4 lock=$5 local=$6 place=$7 target=$8 access=$9
shift 9

umask 077
own=$folder/.offsite
mkdir -p "$own/cache"
exec 3<&0  # what runs in the background of a shell reads nothing unless it is told to
if [ -n "$local" ] && [ ! -d "$local" ]; then
    if [ "$1" != init ]; then
        printf 'there is no folder %s\n' "$local" >&2
        exit 10
    fi
    mkdir "$local"  # not its parents: the disk may not be mounted
fi
work=$(mktemp -d "$own/work.XXXXXX")
name=windlass-offsite-$(basename "$work" | tr -dc 'A-Za-z0-9')
pid=
finish() {
    if [ -n "$pid" ]; then docker stop -t 10 "$name" >/dev/null 2>&1 || true; fi
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

# it works as whoever owns the backups; ssh wants to know such a user, and finds the keys where they are
user=$(id -u):$(id -g)
case $(docker info --format '{{json .SecurityOptions}}') in
    *name=rootless*) user=0:0 ;;
esac
home=${WINDLASS_HOME:-${HOME:-/root}}
# what holds the lock of what is off-site may be swept by who has it next
label=
if [ "$lock" = "$own/.lock" ]; then label="--label windlass.offsite=$project"; fi
who=$(id -un 2>/dev/null) || who=${USER:-backup}
printf '%s:x:%s:%s:%s:/bin/sh\n' "$who" "$user" '' "$home" >"$work/passwd"
chmod 644 "$work/passwd"
chmod 711 "$work"
mkdir "$work/log"
run() {
    set -- --mount "type=bind,source=$work/passwd,target=/etc/passwd,readonly" "$@"
    set -- --mount "type=bind,source=$own/cache,target=/cache" "$@"
    set -- --mount "type=bind,source=$work/log,target=/log" "$@"
    if [ -d "$home/.ssh" ]; then set -- --mount "type=bind,source=$home/.ssh,target=$home/.ssh,readonly" "$@"; fi
    if [ -n "$local" ]; then set -- --mount "type=bind,source=$local,target=$local" "$@"; fi
    if [ "$access" = ro ]; then
        set -- --mount "type=bind,source=$place,target=$target,readonly" "$@"
    elif [ -n "$place" ]; then
        set -- --mount "type=bind,source=$place,target=$target" "$@"
    fi
    # shellcheck disable=SC2086  # none, or an option and its value
    exec docker run --rm --interactive --name "$name" --label "windlass.restic=$project" $label --network host \
        --log-driver none --user "$user" --read-only --env "HOME=$home" --env TMPDIR=/cache \
        --env RESTIC_CACHE_DIR=/cache --env RESTIC_PROGRESS_FPS=1 --entrypoint sh "$@"
}
mkfifo "$work/out"
# shellcheck disable=SC2016  # expanded by the shell in the container
inside='while IFS= read -r one; do export "$one"; done; exec restic "$@" </dev/null'
: >"$work/err"
date +%s >"$work/heard"
run "$image" -c "$inside" restic "$@" <&3 >"$work/out" 2>>"$work/err" &
pid=$!

# passes on what restic prints, and notes when it says something new
relay() {
    before=
    while IFS= read -r line; do
        case $line in
            *'"bytes_done":'*) now=${line##*'"bytes_done":'} now=${now%%[,\}]*} ;;
            *'"bytes_restored":'*) now=${line##*'"bytes_restored":'} now=${now%%[,\}]*} ;;
            *) now=${line#'['*'] '} ;;
        esac
        if [ "$now" != "$before" ]; then date +%s >"$work/heard.new" && mv "$work/heard.new" "$work/heard"; fi
        before=$now
        printf '%s\n' "$line"
    done <"$work/out"
}
relay &
relaying=$!

status=
while kill -0 "$pid" 2>/dev/null; do
    sleep 0.3
    if [ -n "$lock" ] && [ -n "$(find "$lock" -mmin +1 2>/dev/null)" ]; then
        printf 'whoever asked for this has given no sign of life for a minute\n' >>"$work/err"
        status=1
        break
    fi
    if [ "$(date +%s)" -gt $(($(cat "$work/heard") + stall_s)) ]; then
        printf 'nothing moved for %s s\n' "$stall_s" >>"$work/err"
        status=124
        break
    fi
done
if [ -n "$status" ]; then docker stop -t 10 "$name" >/dev/null 2>&1 || true; fi
ended=0
wait "$pid" || ended=$?
pid=
wait "$relaying" || true
cat "$work/log/ssh" >>"$work/err" 2>/dev/null || true
tail -c 16384 "$work/err" >&2  # as much as a pipe holds: nobody reads it before the end
trap - EXIT
finish
exit "${status:-$ended}"
