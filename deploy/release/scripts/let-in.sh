# Lets containers into a PostgreSQL server as one role without a password, or ends that: while the role's password is being
# changed, those that know only the one before go on working.
#
#   let-in.sh DATABASE HBA_FILE DATA_FOLDER TOKEN LONGEST_S ROLE [CONTAINER|task:ID...]
#
# DATABASE is the server's container; task:ID is a container of a cluster, on whichever node. Without any of these it ends. After LONGEST_S seconds it ends by itself, inside of
# DATABASE, also when whoever began it is gone.
set -eu

database=$1 hba=$2 data=$3 token=$4 longest_s=$5 role=$6
shift 6

rules=
addresses() {
    case $1 in
        task:*)
            # with the length of the network's prefix; one that has ended meanwhile needs nothing any more
            docker inspect --type task --format '{{range .NetworksAttachments}}{{range .Addresses}}{{.}} {{end}}{{end}}' "${1#task:}" |
                sed 's|/[0-9]*||g' || true
            ;;
        *) docker container inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' "$1" ;;
    esac
}
for name; do
    for address in $(addresses "$name"); do
        rules="${rules}host all \"$role\" $address/32 trust
"
    done
done
# shellcheck disable=SC2016  # expanded by the shell in the container
change='
    set -eu
    umask 077
    hba=$1 data=$2 token=$3 rules=$4
    begin="# windlass lets in: $token" end="# windlass lets in no more"
    {
        if [ -n "$rules" ]; then printf "%s\n%s%s\n" "$begin" "$rules" "$end"; fi
        sed "/^# windlass lets in: ${token:-.*}\$/,/^$end\$/d" "$hba"
    } >"$hba.windlass"
    mv "$hba.windlass" "$hba"
    kill -HUP "$(head -n 1 "$data/postmaster.pid")"
'
# the file is the server's own user's, and root in a container may not be allowed to write it
owner=$(docker exec "$database" stat -c %u "$hba")
docker exec --user "$owner" "$database" sh -c "$change" let-in "$hba" "$data" "${rules:+$token}" "$rules"
if [ -n "$rules" ]; then
    docker exec --detach --user "$owner" "$database" \
        sh -c 'sleep "$1"; shift; exec sh -c "$@"' let-in "$longest_s" "$change" let-in "$hba" "$data" "$token" ""
fi
