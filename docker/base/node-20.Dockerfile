# provides: node:20-alpine node:20 node:20-slim
# Debian's Node.js 20; npm 10 from the npm registry, fetched by Debian's npm. glibc, not musl: the busybox applets
# stand last in PATH so that `wget` and its kin are there as on Alpine.
FROM debian:trixie-slim AS npm
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
RUN apt-get update -qq && apt-get install -y -qq npm >/dev/null 2>&1 \
 && npm install --global --silent --prefix /npm npm@10

FROM debian:trixie-slim
RUN apt-get update -qq \
 && apt-get install -y -qq nodejs busybox >/dev/null 2>&1 \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir /usr/lib/busybox.d && busybox --install -s /usr/lib/busybox.d \
 && groupadd -g 1000 node && useradd -u 1000 -g node -s /bin/bash -m node
COPY --from=npm /npm/ /usr/local/
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/busybox.d \
    NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
RUN node --version && npm --version
CMD ["node"]
