#!/bin/sh
# Runs sshd, cron and the engine, and starts the engine again whenever it ends, as a service manager would.
#
# AUTHORIZED_KEY: the public key that may log in as deploy. Touch /run/no-engine to keep the engine down.
set -eu

ssh-keygen -q -A
printf '%s\n' "${AUTHORIZED_KEY:?}" >/home/deploy/.ssh/authorized_keys
chown deploy:deploy /home/deploy/.ssh/authorized_keys
chmod 600 /home/deploy/.ssh/authorized_keys
unset AUTHORIZED_KEY
/usr/sbin/sshd -E /var/log/sshd.log
cron

# In a network of the outer engine resolv.conf names that engine's own resolver, which containers in here cannot reach;
# left to itself the inner engine would replace it by a public one. Hand down what the outer one forwards to.
outer=$(sed -n 's/.*ExtServers: \[[^0-9]*\([0-9.]*\).*/\1/p' /etc/resolv.conf)

trap 'kill -TERM "$engine" 2>/dev/null; wait "$engine" 2>/dev/null; exit 0' TERM INT
engine=
while :; do
    if [ -e /run/no-engine ]; then
        sleep 0.2
        continue
    fi
    rm -f /run/docker.pid /run/docker/containerd/containerd.pid
    dockerd ${outer:+--dns "$outer"} >>/var/log/dockerd.log 2>&1 &
    engine=$!
    wait "$engine" || true
    sleep 0.5
done
