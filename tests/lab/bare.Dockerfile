# A server as a provider hands it over: Debian 12 with sshd and nothing else. No service manager, no Docker.
FROM debian:bookworm-slim
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends openssh-server sudo procps >/dev/null 2>&1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --shell /bin/bash --password '*' ops \
 && echo 'ops ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/ops \
 && install -d -m 0755 /run/sshd \
 && printf 'UsePAM no\nUseDNS no\n' >/etc/ssh/sshd_config.d/test.conf
# the outer engine's resolver is out of reach for containers in here: see docker/sandbox/boot.sh
CMD ["sh", "-c", "install -d -m 700 -o ops /home/ops/.ssh && printf '%s\\n' \"$AUTHORIZED_KEY\" >/home/ops/.ssh/authorized_keys && chown ops /home/ops/.ssh/authorized_keys && exec /usr/sbin/sshd -D -e"]
EXPOSE 22
VOLUME /var/lib/docker
