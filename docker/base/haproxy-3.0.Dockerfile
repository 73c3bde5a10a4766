# provides: haproxy:3.0
# Debian's HAProxy with the official image's user id, working directory and stop signal.
FROM debian:trixie-slim
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq haproxy >/dev/null 2>&1 \
 && rm -rf /var/lib/apt/lists/* \
 && groupmod -g 99 haproxy && usermod -u 99 -d /var/lib/haproxy haproxy \
 && install -d -o haproxy -g haproxy /usr/local/etc/haproxy /var/lib/haproxy
USER haproxy
WORKDIR /var/lib/haproxy
STOPSIGNAL SIGUSR1
CMD ["haproxy", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
