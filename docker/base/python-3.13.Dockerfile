# provides: python:3.13-slim python:3.13
# Debian's own interpreter; /usr/local is a virtual environment over it, so that `pip install`, /usr/local/bin/python
# and `COPY --from=… /usr/local` behave as in the official image. Not for `uv pip install --system`.
FROM debian:trixie-slim
RUN apt-get update -qq \
 && apt-get install -y -qq python3 python3-venv tzdata netbase >/dev/null 2>&1 \
 && rm -rf /var/lib/apt/lists/* \
 && python3 -m venv /usr/local \
 && ln -sf python3 /usr/local/bin/python \
 && pip --version
ENV LANG=C.UTF-8
CMD ["python3"]
