# An SSH server that takes files from one user, for copies of backups off-site.
FROM debian:trixie-slim
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq openssh-server openssh-sftp-server >/dev/null 2>&1 \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir -p /run/sshd && useradd --create-home keeper && install -d -o keeper /srv/shop
CMD ["/usr/sbin/sshd", "-D", "-e"]
