# provides: registry:2 registry:2.8
# Debian's registry (CNCF Distribution 2.8) under the official image's paths and command.
FROM debian:trixie-slim
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker-registry >/dev/null 2>&1 \
 && rm -rf /var/lib/apt/lists/* \
 && ln -s /usr/bin/docker-registry /bin/registry \
 && mkdir -p /var/lib/registry
VOLUME ["/var/lib/registry"]
EXPOSE 5000
ENTRYPOINT ["registry", "serve"]
CMD ["/etc/docker/registry/config.yml"]
