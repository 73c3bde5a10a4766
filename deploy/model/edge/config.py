"""`haproxy.cfg` for a state of the edge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from deploy.model.edge.maintenance import CONFIG_FOLDER, MAINTENANCE_MAP, PAGE_FILE, RETRY_AFTER_S
from deploy.model.edge.state import NONE, SERVERS, SLOTS, EdgeState, Listener
from deploy.model.edge.tls import HTTP_PORT, HTTPS_PORT, Tls
from deploy.model.layout import HostLayout

MAP = f"{CONFIG_FOLDER}/live.map"
CERTIFICATES = "/certs"
"""Where certificates are inside the edge's container and its ACME client's."""
ISSUED_MAP = f"{CERTIFICATES}/issued.map"
"""Which names have a real certificate: only these are redirected to HTTPS."""
ADMIN_PORT = 9999
MASTER_PORT = 9998
"""Where HAProxy's master answers for every worker, those that a reload has left with their connections too."""
FIRST_PORT = 10000
"""Where the edge listens inside its container; published as the public ports."""
SECURE_PORT = 9443
PLAIN_PORT = 9080
"""Where the edge answers port 80 when the stack does not."""
CHALLENGE_PORT = 5002
"""Where the ACME client answers challenges."""

_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
HEADER = f"""\
# Written by Windlass; changes are lost with the next switch.
global
  stats socket ipv4@127.0.0.1:{ADMIN_PORT} level admin
  log stdout format raw local0 info
  fd-hard-limit 40960
  hard-stop-after 1h
  # Mozilla's "intermediate" settings, guidelines 5.7
  ssl-default-bind-curves X25519:prime256v1:secp384r1
  ssl-default-bind-ciphers {":".join(_CIPHERS)}
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256
  ssl-default-bind-options prefer-client-ciphers ssl-min-ver TLSv1.2 no-tls-tickets

# The engine's own DNS: a server without a release keeps the edge's own name, which is answered without asking further.
resolvers engine
  nameserver docker 127.0.0.11:53
  accepted_payload_size 8192
  resolve_retries 3
  timeout resolve 500ms
  timeout retry 500ms
  hold valid 1s
  hold obsolete 0s
  hold nx 3s
# An engine that is restarted does not answer for a while: containers keep the addresses they have.
  hold other 1h
  hold refused 1h
  hold timeout 1h

defaults
  log global
  timeout connect 5s
  timeout client 5m
  timeout server 5m
  timeout http-request 30s
  timeout http-keep-alive 75s
  timeout tunnel 1h
  option dontlognull
# A reload leaves clients that keep their connection with the old worker until their next request is answered.
  option idle-close-on-response
  option redispatch
  retries 3
  retry-on conn-failure
  default-server resolvers engine resolve-prefer ipv4 init-addr none
  default-server check inter 1s fastinter 200ms downinter 200ms rise 1 fall 3
"""
# when, who, what was asked for, status, bytes, time to the last byte, who answered, how it ended ("--": well)
_HTTP_LOG = (
    '  log-format "%[request_date,utime(%Y-%m-%dT%H:%M:%SZ)] %ci %HM %[var(txn.scheme)]://%[var(txn.host)]%HPO%HQ '
    '%ST %B bytes %Ta ms %b/%s %ts"\n'
)
TCP_LOG = '  log-format "%[accept_date,utime(%Y-%m-%dT%H:%M:%SZ)] %ci tcp %f %B bytes %Tt ms %b/%s %ts"\n'
_TO_HTTPS = (
    "  http-request redirect code 308 location https://%[req.hdr(host),host_only]%[pathq] if secured !from_here\n"
)
_MAINTENANCE = f"  acl maintenance str(mode),map_str({MAINTENANCE_MAP},off) -m str on\n"
# the probes of a switch come from inside the container: they ask the release, whatever users get
_FROM_HERE = "  acl from_here src 127.0.0.1\n"


def render_config(state: EdgeState, layout: HostLayout) -> str:
    """`haproxy.cfg` for a state."""
    parts = [HEADER]
    for number, listener in enumerate(state.listeners):
        mode = "http" if listener.port.http else "tcp"
        parts.append(_frontend(listener, FIRST_PORT + number, state.tls))
        parts += [_backend(slot, state, listener, mode, layout) for slot in SLOTS]
        parts.append(_nobody(listener, mode))
    if state.tls:
        parts += _secure(state, state.tls, layout)
    return "\n".join(parts)


def answers_plain_http(listeners: Iterable[Listener]) -> bool:
    """Whether one of the stack's own ports is port 80, which challenges and redirects go through."""
    return any(listener.port.published == HTTP_PORT for listener in listeners)


def _frontend(listener: Listener, port: int, tls: Tls | None) -> str:
    head = f"frontend {listener.name}\n"
    choice = f"  use_backend %[str(live),map_str({MAP},{NONE})]_{listener.name}\n"
    if not listener.port.http:
        return (
            f"{head}  mode tcp\n  bind :{port}\n{TCP_LOG}{_MAINTENANCE}"
            f"  tcp-request content reject if maintenance\n{choice}"
        )
    redirected = tls is not None and listener.port.published == HTTP_PORT
    return (
        f"{head}  mode http\n  bind :{port}\n{described('http')}{_FROM_HERE}"
        + (_challenges(tls) if tls and redirected else "")
        + _in_maintenance([listener.health_path])
        + (_TO_HTTPS if redirected else "")
        + forwarded("http", listener.port.published)
        + ("  use_backend acme if challenge\n" if redirected else "")
        + choice
    )  # fmt: skip


def _secure(state: EdgeState, tls: Tls, layout: HostLayout) -> Iterator[str]:
    """What stands beside the stack's own ports when there are names with certificates."""
    certificates = " ".join(f"crt {CERTIFICATES}/{name}.pem" for name in tls.names)
    served = "".join(
        f"  use_backend %[str(live),map_str({MAP},{NONE})]_{listener.name} if {{ var(txn.name) -m str {name} }}\n"
        for name, service in tls.names.items()
        if (listener := http_listener(state.listeners, service))
    )
    yield (
        f"frontend secure\n  mode http\n  bind :{SECURE_PORT} ssl {certificates} alpn h2,http/1.1\n"
        + described("https")
        + _FROM_HERE
        + _named(tls)
        + "  http-request return status 421 content-type text/plain string \"This name is not known here.\\n\" "
        "if !named\n"
        + _in_maintenance(_paths(state, tls))
        + forwarded("https", HTTPS_PORT)
        + served
    )  # fmt: skip
    if not answers_plain_http(state.listeners):
        yield (
            f"frontend plain\n  mode http\n  bind :{PLAIN_PORT}\n{described('http')}{_FROM_HERE}"
            + _challenges(tls)
            + _TO_HTTPS
            + "  http-request return status 503 content-type text/plain string \"Only HTTPS is answered here.\\n\" "
            "if !challenge\n"
            "  use_backend acme if challenge\n"
        )  # fmt: skip
    yield f"backend acme\n  mode http\n  server lego {layout.acme_container}:{CHALLENGE_PORT} no-check\n"


def http_listener(listeners: Iterable[Listener], service: str) -> Listener | None:
    """The port whose containers answer a service's names: its first HTTP one."""
    return next((one for one in listeners if one.service == service and one.port.http), None)


def _paths(state: EdgeState, tls: Tls) -> set[str]:
    found = (http_listener(state.listeners, service) for service in tls.names.values())
    return {listener.health_path for listener in found if listener}


def described(scheme: str) -> str:
    """What the access log needs to remember of a request."""
    return (
        f"{_HTTP_LOG}  http-request set-var(txn.scheme) str({scheme})\n"
        "  http-request set-var(txn.host) req.hdr(host)\n"
        "  http-request set-var(txn.name) req.hdr(host),host_only,lower\n"
    )


def _named(tls: Tls) -> str:
    return f"  acl named var(txn.name) -m str {' '.join(tls.names)}\n"


def _challenges(tls: Tls) -> str:
    return (
        _named(tls)
        + "  acl challenge_path path_beg /.well-known/acme-challenge/\n"
        + "  http-request set-var(txn.challenge) bool(true) if named challenge_path\n"
        + "  acl challenge var(txn.challenge) -m bool\n"
        + f"  acl issued var(txn.name),map_str({ISSUED_MAP},no) -m str yes\n"
        + "  http-request set-var(txn.secured) bool(true) if named issued !challenge\n"
        + "  acl secured var(txn.secured) -m bool\n"
    )


def _in_maintenance(health_paths: Iterable[str]) -> str:
    """A health path of its own goes on answering 200, so that a balancer in front sends users on to the page."""
    own = sorted({path.partition("?")[0] for path in health_paths} - {"/"})
    healthy = (
        '  http-request return status 200 content-type text/plain string "maintenance\\n" '
        f"if maintenance !from_here {{ path {' '.join(own)} }}\n"
        if own
        else ""
    )
    return (
        f"{_MAINTENANCE}{healthy}"
        "  http-request return status 503 content-type text/html "
        f"hdr Retry-After {RETRY_AFTER_S} hdr Cache-Control no-store lf-file {PAGE_FILE} "
        "if maintenance !from_here !{ var(txn.challenge) -m bool }\n"
    )


def forwarded(scheme: str, port: int) -> str:
    """Nobody before the edge is trusted: what a request says of its own way is replaced."""
    return (
        "  http-request del-header Forwarded\n"
        "  http-request set-header X-Forwarded-For %[src]\n"
        f"  http-request set-header X-Forwarded-Proto {scheme}\n"
        f"  http-request set-header X-Forwarded-Port {port}\n"
        "  http-request set-header X-Forwarded-Host %[req.hdr(host)]\n"
    )


def _backend(slot: str, state: EdgeState, listener: Listener, mode: str, layout: HostLayout) -> str:
    target = state.slots.get(slot)
    # a new worker must know where the live release is before its first request; others can wait for the resolver
    at_once = " init-addr libc,none" if slot == state.live else ""
    servers = target.servers.get(listener.name, ()) if target else ()
    lines = [f"backend {slot}_{listener.name}", f"  mode {mode}"]
    for number in range(1, SERVERS + 1):
        filled = number <= len(servers)
        address = servers[number - 1] if filled else f"{layout.edge_container}:{listener.port.target}"
        lines.append(f"  server s{number} {address}" + (at_once if filled else " disabled"))
    return "\n".join(lines) + "\n"


def _nobody(listener: Listener, mode: str) -> str:
    answer = (
        '  http-request return status 503 content-type text/plain string "No release is live.\\n"\n'
        if mode == "http"
        else ""
    )
    return f"backend {NONE}_{listener.name}\n  mode {mode}\n{answer}"
