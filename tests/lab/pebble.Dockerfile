# An ACME authority that validates for real and that nobody trusts. It starts when its own certificate is there.
FROM debian:trixie-slim
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq pebble >/dev/null 2>&1 \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir /pebble
COPY <<'JSON' /pebble/config.json
{
  "pebble": {
    "listenAddress": "0.0.0.0:14000",
    "managementListenAddress": "0.0.0.0:15000",
    "certificate": "/pebble/cert.pem",
    "privateKey": "/pebble/key.pem",
    "httpPort": 80,
    "tlsPort": 443,
    "ocspResponderURL": "",
    "externalAccountBindingRequired": false,
    "certificateValidityPeriod": 1728000
  }
}
JSON
ENV PEBBLE_VA_NOSLEEP=1
CMD ["sh", "-c", "until [ -f /pebble/cert.pem ]; do sleep 0.1; done; exec pebble -config /pebble/config.json"]
