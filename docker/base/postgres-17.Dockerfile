# provides: postgres:17 postgres:17-alpine
# Debian's PostgreSQL 17 with the official image's variables (POSTGRES_USER, _PASSWORD, _DB, _INITDB_ARGS,
# _HOST_AUTH_METHOD, each also as …_FILE), PGDATA, and /docker-entrypoint-initdb.d.
FROM debian:trixie-slim
RUN --mount=type=bind,source=postgres/install.sh,target=/tmp/install.sh sh /tmp/install.sh 17
COPY --chmod=755 postgres/docker-entrypoint.bash /usr/local/bin/docker-entrypoint.sh
ENV LANG=en_US.utf8 \
    PG_MAJOR=17 \
    PGDATA=/var/lib/postgresql/data \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/17/bin
VOLUME /var/lib/postgresql/data
EXPOSE 5432
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
