# Makes the object that is a project's lock in a cluster: its store makes none of a name twice, whoever asks where.
#
#   swarm-lock.sh NAME NODE OWNER [BEFORE]
#
# OWNER is a line of JSON, BEFORE the id of a lock whose holder is gone. Prints "ours ID", or "taken ID NODE" and OWNER.
set -eu

if [ -n "${4:-}" ]; then docker config rm "$4" >/dev/null 2>&1 || true; fi
if id=$(printf '%s\n' "$3" | docker config create --label "windlass.node=$2" --label "windlass.owner=$3" "$1" - 2>/dev/null); then
    printf 'ours %s\n' "$id"
    exit 0
fi
docker config inspect --format 'taken {{.ID}} {{index .Spec.Labels "windlass.node"}}
{{index .Spec.Labels "windlass.owner"}}' "$1"
