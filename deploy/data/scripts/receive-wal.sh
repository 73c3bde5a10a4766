# Receives the write-ahead log of the PostgreSQL server whose socket it shares, into /wal, for as long as its container runs.
#
#   receive-wal.sh SLOT KEPT_MB FREE_MB
#
# Runs in a container of the server's own image. /wal/SYSTEM-TIME holds one unbroken chain of segments each: a new one begins
# with a new server, and where the server no longer has what would come next. SLOT is the server's promise to keep what was not
# received yet, KEPT_MB of it at most; nothing is received while less than FREE_MB of the disk are free. So neither a receiver
# that is gone nor one that nobody cleans up after fills the disk.
set -eu

slot=$1 kept_mb=$2 free_mb=$3

receiver=
sleeper=
end() {
    for one in $receiver $sleeper; do kill "$one" 2>/dev/null || true; done
    if [ -n "$receiver" ]; then wait "$receiver" || true; fi
    exit 0
}
trap end INT TERM
rest() {
    sleep "$1" &
    sleeper=$!
    wait "$sleeper" || true
    sleeper=
}
last=
say() {
    if [ "$1" != "$last" ]; then printf '%s\n' "$1" >&2; fi
    last=$1
}

user=${POSTGRES_USER:-}
if [ -n "${POSTGRES_USER_FILE:-}" ]; then user=$(cat "$POSTGRES_USER_FILE"); fi
export PGUSER="${user:-postgres}" PGDATABASE=postgres PGAPPNAME=windlass_wal LC_ALL=C
if command -v gosu >/dev/null; then as=gosu; else as=su-exec; fi
if ! command -v "$as" >/dev/null || ! command -v pg_receivewal >/dev/null; then
    printf 'this image has no pg_receivewal, or no gosu: point in time needs the official image of PostgreSQL, or one built on it\n' >&2
    exit 1
fi
ask() { "$as" postgres psql --no-psqlrc --no-password -Atq -v ON_ERROR_STOP=1 -c "$1"; }

# the folder stays whoever's it is; the server's user writes there
owner=$(stat -c %u /wal)
chgrp postgres /wal
chmod 0770 /wal

# what the server is and has, in $id, $segment and $status; says what must change before anything can be received
ready() {
    version=$(ask 'SHOW server_version_num' 2>&1) || {
        say "the server does not answer: $version"
        return 1
    }
    if [ "$version" -lt 130000 ]; then
        say 'PostgreSQL 13 or newer is needed: older ones cannot bound what a slot keeps'
        return 1
    fi
    facts=$(ask "SELECT (SELECT system_identifier FROM pg_control_system()), current_setting('wal_level'),
            current_setting('max_wal_senders'), current_setting('max_replication_slots'),
            current_setting('max_slot_wal_keep_size'),
            (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size'),
            (SELECT count(*) FROM pg_replication_slots WHERE slot_name <> '$slot'),
            (SELECT coalesce(wal_status, 'lost') FROM pg_replication_slots WHERE slot_name = '$slot'),
            current_setting('synchronous_standby_names') ~ '[*]|$PGAPPNAME'" 2>&1) || {
        say "$facts"
        return 1
    }
    IFS='|' read -r id level senders slots kept segment others status awaited <<END
$facts
END
    if [ "$level" = minimal ] || [ "$senders" = 0 ] || [ "$slots" = 0 ]; then
        say "wal_level is $level, max_wal_senders $senders, max_replication_slots $slots: point in time needs wal_level replica, and one or more of each"
        return 1
    fi
    if [ "$awaited" = t ]; then
        say "synchronous_standby_names names every standby: commits would wait for what is received here. Name your standbys"
        return 1
    fi
    if [ "$kept" = -1 ]; then
        if [ "$others" != 0 ]; then
            say "the server has other replication slots, and no bound for what they keep: set one yourself, ALTER SYSTEM SET max_slot_wal_keep_size = '${kept_mb}MB'"
            return 1
        fi
        ask "ALTER SYSTEM SET max_slot_wal_keep_size = '${kept_mb}MB'" && ask 'SELECT pg_reload_conf()' >/dev/null
    fi
}

# whether the server still has what comes after the newest whole segment of a chain
goes_on() {
    newest=$(find "$1" -type f -name '????????????????????????' -exec basename {} \; | sort | tail -n 1)
    [ -n "$newest" ] || return 0
    high=$((0x$(printf %s "$newest" | cut -c 9-16)))
    low=$((0x$(printf %s "$newest" | cut -c 17-24) * segment + segment))
    if [ "$low" -ge 4294967296 ]; then high=$((high + 1)) low=0; fi
    next=$(printf '%X/%X' "$high" "$low")
    [ "$(ask "SELECT '$next'::pg_lsn <= pg_current_wal_lsn() AND pg_wal_lsn_diff('$next', restart_lsn) > -$segment
        FROM pg_replication_slots WHERE slot_name = '$slot'")" = t ]
}

# the chain to go on with, in $chain
choose() {
    chain=$(find /wal -mindepth 1 -maxdepth 1 -type d -name "$id-*" | sort | tail -n 1)
    if [ -n "$chain" ] && [ -n "$status" ] && [ "$status" != lost ] && goes_on "$chain"; then return 0; fi
    if [ -n "$status" ]; then ask "SELECT pg_drop_replication_slot('$slot')" >/dev/null || return 1; fi
    ask "SELECT pg_create_physical_replication_slot('$slot', true)" >/dev/null || return 1
    chain=/wal/$id-$(date -u +%Y%m%dT%H%M%SZ)
    mkdir "$chain" || return 1
    chown "$owner:postgres" "$chain"
    chmod 0770 "$chain"
    say "a new chain begins: $chain"
}

room() {
    free=$(df -Pk /wal | awk 'NR == 2 { print int($4 / 1024) }')
    if [ "$free" -ge "$free_mb" ]; then return 0; fi
    say "$free MB of the disk are free: nothing is received below $free_mb MB"
    return 1
}

while :; do
    if ! room; then
        rest 10
        continue
    fi
    if ! ready || ! choose; then
        rest 2
        continue
    fi
    "$as" postgres pg_receivewal --no-loop --no-password --slot="$slot" --directory="$chain" --status-interval=5 &
    receiver=$!
    while kill -0 "$receiver" 2>/dev/null; do
        rest 1
        if ! room; then kill "$receiver" 2>/dev/null || true; fi
    done
    wait "$receiver" || true
    receiver=
    last=
    rest 1
done
