# provides: postgres:15 postgres:15-alpine
# PostgreSQL of the Debian before, as in postgres-17.Dockerfile: data of an older version is upgraded from it.
FROM debian:bookworm-slim
RUN --mount=type=bind,source=postgres/install.sh,target=/tmp/install.sh sh /tmp/install.sh 15
COPY --chmod=755 postgres/docker-entrypoint.bash /usr/local/bin/docker-entrypoint.sh
ENV LANG=en_US.utf8 \
    PG_MAJOR=15 \
    PGDATA=/var/lib/postgresql/data \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/15/bin
VOLUME /var/lib/postgresql/data
EXPOSE 5432
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
