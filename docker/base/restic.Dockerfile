# provides: restic/restic:0.18.0
# Debian's restic, of the same minor version, with the official image's user, ssh client and certificate authorities.
FROM debian:trixie-slim
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq restic openssh-client ca-certificates >/dev/null 2>&1 \
 && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["/usr/bin/restic"]
