# provides: nginx:alpine nginx:latest nginx:stable nginx:stable-alpine
# Debian's nginx laid out as the official image: user 101, conf.d/*.conf, logs on stdout and stderr, envsubst over
# /etc/nginx/templates. glibc, not musl; busybox applets stand last in PATH.
FROM debian:trixie-slim
RUN groupadd -g 101 nginx && useradd -u 101 -g nginx -s /usr/sbin/nologin -d /nonexistent nginx \
 && apt-get update -qq \
 && apt-get install -y -qq nginx-light gettext-base busybox >/dev/null 2>&1 \
 && rm -rf /var/lib/apt/lists/* /etc/nginx/sites-* /etc/nginx/modules-enabled/* /var/www/html \
 && mkdir -p /docker-entrypoint.d /etc/nginx/templates /usr/share/nginx/html /var/cache/nginx /usr/lib/busybox.d \
 && busybox --install -s /usr/lib/busybox.d \
 && chown nginx:nginx /var/cache/nginx \
 && ln -sf /dev/stdout /var/log/nginx/access.log \
 && ln -sf /dev/stderr /var/log/nginx/error.log \
 && echo '<h1>Welcome to nginx!</h1>' >/usr/share/nginx/html/index.html
COPY <<'EOF' /etc/nginx/nginx.conf
user nginx;
worker_processes auto;
error_log /var/log/nginx/error.log notice;
pid /run/nginx.pid;
events { worker_connections 1024; }
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    sendfile on;
    keepalive_timeout 65;
    include /etc/nginx/conf.d/*.conf;
}
EOF
COPY <<'EOF' /etc/nginx/conf.d/default.conf
server {
    listen 80;
    listen [::]:80;
    root /usr/share/nginx/html;
    index index.html;
}
EOF
COPY --chmod=755 <<'EOF' /docker-entrypoint.sh
#!/bin/sh
set -e
if [ "$1" = nginx ]; then
    defined=$(env | sed -n 's/^\([A-Za-z_][A-Za-z_0-9]*\)=.*/${\1}/p' | tr '\n' ' ')
    find /etc/nginx/templates -type f -name '*.template' | while read -r template; do
        output=/etc/nginx/conf.d/$(basename "$template" .template)
        envsubst "$defined" <"$template" >"$output"
    done
    for hook in /docker-entrypoint.d/*.sh; do
        [ -x "$hook" ] && "$hook"
    done
fi
exec "$@"
EOF
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/busybox.d
EXPOSE 80
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["nginx", "-g", "daemon off;"]
