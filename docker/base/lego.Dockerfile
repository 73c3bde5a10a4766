# provides: goacme/lego:v4.9.1
# Debian's lego, of the same version as the official image's, with its certificate authorities.
FROM debian:trixie-slim
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq lego ca-certificates >/dev/null 2>&1 \
 && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["lego"]
