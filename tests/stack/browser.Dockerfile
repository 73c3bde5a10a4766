# A real browser for the tests: Chromium and its driver, from Debian's packages.
FROM debian:trixie-slim
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver fonts-dejavu-core \
      >/dev/null 2>&1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home browser
USER browser
EXPOSE 9515
CMD ["chromedriver", "--port=9515", "--allowed-ips=", "--allowed-origins=*"]
