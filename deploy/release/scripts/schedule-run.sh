# One scheduled run: what systemd or cron starts on the host. All it needs to know stands in files beside it.
#
#   run
#
# The keeper, a container that holds Windlass, does the work. What is kept here is what must also hold when no container
# can be had: one run at a time, an end to each, a line in the journal for it, and word of it when it failed.
set -u
umask 077
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

cd "$(dirname "$0")" || exit 1
{
    IFS= read -r root
    IFS= read -r image
    IFS= read -r project
    IFS= read -r socket
    IFS= read -r limit_s
    IFS= read -r recovery
} <values || exit 1
journal=$root/backups/runs.jsonl
id=$(date -u +%Y%m%dT%H%M%SZ)-$$
# no quote and no backslash, which would end a text of JSON
one_line() { tr '\011\012\015\042\134' "   '/" | tr -cd '\040-\176' | tail -c 600; }
host=$(printf %s "$(uname -n)" | one_line)

# event EVENT OK MESSAGE
event() {
    printf '{"run":"%s","event":"%s","at":"%s","project":"%s","host":"%s","ok":%s,"message":"%s","text":"%s"}\n' \
        "$id" "$1" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$project" "$host" "$2" "$3" "$project on $host: $3"
}
keep() { printf '%s\n' "$1" >>"$journal" && { sync "$journal" 2>/dev/null || sync; }; }

exec 9>>lock
if ! flock -n 9; then
    keep "$(event skipped false 'the run before goes on still')"
    exit 0
fi
unwritten=
keep "$(event began true '')" || unwritten='the journal of the runs could not be written'

name=$project-keeper-run
docker rm --force "$name" >/dev/null 2>&1 9>&- # of a run that was killed
# what is off-site may be a folder of this machine, or reached with the user's keys
set --
if [ -e mounts ]; then
    while IFS= read -r place; do
        if [ "$place" = @keys ]; then place=${HOME:-}/.ssh; fi
        if [ -d "$place" ]; then set -- "$@" --volume "$place:$place"; fi
    done <mounts
fi
# the paths in the container are the host's: what is mounted for others, locked and measured there is named by them
timeout --kill-after=60 "$limit_s" docker run --rm --name "$name" --pull never \
    --hostname "$host" --user "$(id -u):$(id -g)" --group-add "$(stat -L -c %g "$socket" 2>/dev/null)" --env "USER=$(id -un)" \
    --env "WINDLASS_HOME=${HOME:-}" --volume "$socket:/var/run/docker.sock" --volume "$root:$root" "$@" "$image" "$root/schedule" "$id" \
    >result 2>last.log 9>&-
status=$?
docker rm --force "$name" >/dev/null 2>&1 9>&-

line=$(sed -n 1p result)
text=$(sed -n 2p result)
case $status:$line in
    124:*)
        message="it did not end within $limit_s s"
        line=
        ;;
    [01]:'{"run": "'"$id"'"'*) ;;
    *)
        message="the keeper ended with status $status: $(printf %s "$(tail -n 2 last.log)" | one_line)"
        if [ "$status" -eq 0 ]; then status=1; fi
        line=
        ;;
esac
if [ -z "$line" ]; then
    line=$(event ended false "$message")
    text="$project on $host: $message"
fi
keep "$line" || unwritten='the journal of the runs could not be written'
if [ -n "$unwritten" ]; then
    status=1 text="$text; $unwritten"
fi
if [ -f "$journal" ] && [ "$(wc -l <"$journal")" -gt 4000 ]; then tail -n 2000 "$journal" >"$journal.new" && mv "$journal.new" "$journal"; fi

# told WHAT STATUS DETAIL: keeps whether somebody has heard of it
told() {
    if [ "$2" -eq 0 ]; then
        keep "$(event told true "$1")"
    else
        keep "$(event told false "the $1 ended with status $2$3")"
    fi
}
# The address stands in a file: arguments can be read by every user of the machine.
post() {
    set -- --silent --output /dev/null --write-out '%{http_code}' --fail --max-time 30 --retry 2 \
        --header 'Content-Type: application/json' --data-binary @-
    if command -v curl >/dev/null; then
        curl --config webhook "$@"
    else
        docker run --rm --interactive --pull never --user "$(id -u):$(id -g)" --volume "$PWD/webhook:/webhook:ro" \
            --entrypoint curl "$image" --config /webhook "$@" 9>&-
    fi
}
tell() {
    if [ -e notify ]; then
        printf '%s\n' "$text" | timeout 60 sh ./notify >>last.log 2>&1 9>&-
        told command $? ''
    fi
    if [ -e webhook ]; then
        answer=$(printf '%s\n' "$line" | post 2>>last.log)
        told webhook $? ", HTTP $answer"
    fi
}
if [ "$status" -ne 0 ]; then
    printf '%s\n' "$text" >&2
    : >failed
    tell
elif [ -e failed ]; then
    rm -f failed
    if [ "$recovery" = yes ]; then tell; fi
fi
exit "$status"
