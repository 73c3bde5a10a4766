# provides: redis:8 redis:8-alpine redis:alpine redis:latest
# Debian's Redis 8.0 (not Valkey), without the modules that the official image adds to it (JSON, search, time series,
# Bloom filters), laid out as that: user redis, data in /data, options or a configuration file as arguments.
FROM debian:trixie-slim
RUN groupadd -r -g 999 redis && useradd -r -u 999 -g redis -d /data -s /usr/sbin/nologin redis \
 && apt-get update -qq \
 && apt-get install -y -qq redis-server gosu >/dev/null 2>&1 \
 && rm -rf /var/lib/apt/lists/* /var/lib/redis /etc/redis \
 && install -d -o redis -g redis /data
COPY --chmod=755 <<'EOT' /usr/local/bin/docker-entrypoint.sh
#!/bin/sh
set -e
case ${1:-} in -* | *.conf) set -- redis-server "$@" ;; esac
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis '{}' +
    exec gosu redis "$0" "$@"
fi
# the official image is compiled with protected mode off: a container's network is what protects it
[ "$*" != redis-server ] || set -- redis-server --protected-mode no
umask 0077
exec "$@"
EOT
VOLUME /data
WORKDIR /data
EXPOSE 6379
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["redis-server"]
