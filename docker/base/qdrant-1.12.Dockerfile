# provides: qdrant/qdrant:v1.12.5-unprivileged
# NOT Qdrant: a stand-in, since neither Debian nor a package registry has Qdrant itself. It answers the calls of Qdrant's
# REST API that the Autopack stack makes, with the official image's port, user, storage folder, API key variable and
# probes. It compares a query with every vector, keeps Cosine distance only, and refuses every other call with 501.
FROM debian:trixie-slim
LABEL windlass.stand-in="qdrant/qdrant:v1.12.5" \
      org.opencontainers.image.title="Stand-in for Qdrant (not Qdrant)" \
      org.opencontainers.image.description="The part of Qdrant's REST API that the Autopack stack uses, over SQLite"
RUN apt-get update -qq \
 && apt-get install -y -qq python3 >/dev/null 2>&1 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd -g 1000 qdrant && useradd -u 1000 -g qdrant -s /usr/sbin/nologin -M -d /qdrant qdrant \
 && install -d -o qdrant -g qdrant /qdrant /qdrant/storage /qdrant/snapshots
COPY qdrant /opt/qdrant-stand-in
RUN python3 -m compileall -q /opt/qdrant-stand-in
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /qdrant
USER 1000:1000
EXPOSE 6333
ENTRYPOINT ["python3", "/opt/qdrant-stand-in/server.py"]
