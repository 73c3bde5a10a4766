# Starts services of a compose project and waits until every container of them is as it should be: healthy, or running for
# SETTLE_S seconds without a restart where it has no health check, or ended with status 0 where it is a job.
#
#   start.sh PROJECT TIMEOUT_S SETTLE_S JOBS ENDS SERVICES COMMAND...      JOBS, ENDS, SERVICES: names, comma-separated
#
# JOBS must end with status 0, ENDS may.
#
# SETTLE_S of 0 says that they run already, and that an earlier restart is none of COMMAND's.
#
# COMMAND starts them. Compose ends with an error as soon as one that others depend on fails: who and why is found out here.
# Prints a line per change. Status 1: some will not become healthy; the last lines say "bad SERVICE REASON". Another status
# is COMMAND's own.
set -eu

project=$1 timeout_s=$2 settle_s=$3 jobs=$4 ends=$5 services=$6
shift 6

begun=0
"$@" || begun=$?
begin=$(date +%s)
said=
while :; do
    elapsed=$(($(date +%s) - begin))
    ids=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$project" --filter 'label=com.docker.compose.oneoff=False')
    # shellcheck disable=SC2086  # a list of ids
    states=$(docker container inspect --format '{{index .Config.Labels "com.docker.compose.service"}} {{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.State.ExitCode}} {{.RestartCount}}' $ids)
    verdict=$(printf '%s\n' "$states" | awk -v wanted=",$services," -v jobs=",$jobs," -v ends=",$ends," -v settled="$((elapsed >= settle_s))" -v fresh="$((settle_s > 0))" '
        index(wanted, "," $1 ",") == 0 { next }
        index(jobs, "," $1 ",") { if ($2 == "exited" && $4 == 0) next; if ($2 == "exited") print "bad", $1, "ended with status " $4; else print "wait", $1; next }
        index(ends, "," $1 ",") && $2 == "exited" && $4 == 0 { next }
        $2 == "exited" || $2 == "dead" { print "bad", $1, $2 " with status " $4; next }
        $2 == "restarting" || (fresh && $5 > 0) { print "bad", $1, "ended and was restarted"; next }
        $3 == "unhealthy" { print "bad", $1, "unhealthy"; next }
        $2 != "running" || $3 == "starting" { print "wait", $1; next }
        $3 == "none" && !settled { print "wait", $1 }
    ' | sort -u)
    case $verdict in
        *bad\ *) printf '%s\n' "$verdict" | grep '^bad '; exit 1 ;;
        '') exit "$begun" ;;
    esac
    waiting=$(printf '%s\n' "$verdict" | sed 's/^wait //' | tr '\n' ' ')
    [ "$waiting" = "$said" ] || { printf 'waiting for %s\n' "$waiting"; said=$waiting; }
    if [ "$elapsed" -ge "$timeout_s" ]; then
        printf '%s\n' "$verdict" | sed "s/^wait \(.*\)/bad \1 not healthy after $timeout_s s/"
        exit 1
    fi
    sleep 0.2
done
