"""`haproxy.cfg` for a state of the edge."""

from __future__ import annotations

from deploy.model.edge.frontends import Front
from deploy.model.edge.paths import ON_ONE_HOST
from deploy.model.edge.state import NONE, SERVERS, SLOTS, EdgeState, Listener
from deploy.model.layout import HostLayout

ADMIN_PORT = 9999
MASTER_PORT = 9998
"""Where HAProxy's master answers for every worker, those that a reload has left with their connections too."""

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


def front_of(state: EdgeState, layout: HostLayout) -> Front:
    """What users reach, leading to the slot that is live."""

    def live(listener: Listener) -> str:
        return f"%[str(live),map_str({ON_ONE_HOST.live_map},{NONE})]_{listener.name}"

    return Front(state.listeners, state.tls, ON_ONE_HOST, live, layout.acme_container)


def render_config(state: EdgeState, layout: HostLayout) -> str:
    """`haproxy.cfg` for a state."""
    parts = [HEADER]
    front = front_of(state, layout)
    for listener, frontend in front.own():
        mode = "http" if listener.port.http else "tcp"
        parts.append(frontend)
        parts += [_backend(slot, state, listener, mode, layout) for slot in SLOTS]
        parts.append(_nobody(listener, mode))
    return "\n".join((*parts, *front.secure()))


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
