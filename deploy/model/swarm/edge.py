"""The edge on a cluster: HAProxy on every node, which finds the containers of a service by the engine's DNS.

Nothing is switched: a rolling update changes what stands behind a name. A container gets into the DNS when it is
healthy and leaves it two seconds before its stop signal; the edge asks every half second.

Its state (configuration, maps, page, certificates) stands in the project's folder on the manager, as it does on one
host. A controller beside it hands it to whoever shows a certificate of the project's own, and every edge asks for it
every second: so a new certificate and the maintenance page reach all nodes without a container being replaced.
"""

from __future__ import annotations

from deploy.model.edge import EMPTY, EdgeState, Listener, Tls, listeners_of
from deploy.model.edge.config import HEADER
from deploy.model.edge.frontends import Front
from deploy.model.edge.paths import ON_A_NODE
from deploy.model.kinds import Kind
from deploy.model.release import ReleaseRecord
from deploy.model.swarm import names

SERVERS = 48
"""Containers of one service that the edge can tell apart. Its configuration does not change with their number."""
CONTROLLER_PORT = 8443
DOOR_PORT = 9997
"""Where an edge asks for its state, at 127.0.0.1 of its own container; and where the controller tells who has which."""
SERVER_NAME = "windlass-edge"
HOME = "/var/lib/haproxy"
"""What an edge keeps on its node."""
INSIDE = "/etc/windlass"
"""Where the containers find their scripts."""
_ASK_AGAIN = """\
  retry-on conn-failure empty-response 502
  http-request disable-l7-retry if !{ method GET HEAD }
"""
"""A proxy of the stack may have asked containers that an update has just taken away: a read is asked again."""


def state_of(record: ReleaseRecord, tls: Tls | None) -> EdgeState:
    """What the edge is for a release, as `edge/state.json` keeps it. There are no slots."""
    return EMPTY.listening(_listeners(record), tls)


def _listeners(record: ReleaseRecord) -> tuple[Listener, ...]:
    """Ports that only the host itself is to reach are none of a cluster: it would publish them to everybody."""
    return tuple(one for one in listeners_of(record) if not one.port.local)


def edge_config(record: ReleaseRecord, project: str, tls: Tls | None) -> str:
    """`haproxy.cfg`, which depends on the public ports and names only."""
    acme = f"tasks.{names.service_name(names.edge_stack(project), 'acme')}"
    front = Front(_listeners(record), tls, ON_A_NODE, lambda one: one.name, acme)
    # a new worker begins with the addresses that the one before had found
    parts = [HEADER, f"global\n  server-state-file {HOME}/servers\n"]
    for listener, frontend in front.own():
        parts += [frontend, _backend(listener, record, project)]
    return "\n".join((*parts, *front.secure()))


def _backend(listener: Listener, record: ReleaseRecord, project: str) -> str:
    mode = "http" if listener.port.http else "tcp"
    lasting = record.services[listener.service].kind == Kind.DATA
    stack = names.data_stack(project) if lasting else names.app_stack(project)
    where = f"tasks.{names.service_name(stack, listener.service)}:{listener.port.target}"
    again = _ASK_AGAIN if listener.port.http else ""
    return (
        f"backend {listener.name}\n  mode {mode}\n  balance roundrobin\n  load-server-state-from-file global\n{again}"
        f"  server-template s 1-{SERVERS} {where} init-addr last,none\n"
    )


def door_config(project: str) -> str:
    """HAProxy's configuration for an edge's own way to the controller."""
    where = f"tasks.{names.service_name(names.edge_stack(project), 'controller')}:{CONTROLLER_PORT}"
    return (
        "global\n  log stdout format raw local0 err\n  maxconn 16\n  nbthread 1\n"
        "resolvers engine\n  nameserver docker 127.0.0.11:53\n  hold valid 1s\n  hold obsolete 0s\n  hold other 1h\n"
        "defaults\n  log global\n  mode http\n  timeout connect 1s\n  timeout client 60s\n  timeout server 60s\n"
        f"  retries 1\nfrontend door\n  bind 127.0.0.1:{DOOR_PORT}\n  default_backend controller\n"
        f"backend controller\n  server controller {where} resolvers engine init-addr libc,none "
        f"ssl verify required verifyhost {SERVER_NAME} sni str({SERVER_NAME}) ca-file /run/secrets/ca.pem "
        "crt /run/secrets/client.pem\n"
    )


def controller_config() -> str:
    """HAProxy's configuration for who hands out the state."""
    return (
        f"global\n  log stdout format raw local0 warning\n  maxconn 2000\n  nbthread 1\n"
        f"  lua-load {INSIDE}/controller.lua\n"
        "defaults\n  log global\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
        f"frontend edges\n  bind :{CONTROLLER_PORT} ssl crt /run/secrets/server.pem ca-file /run/secrets/ca.pem "
        "verify required\n  http-request use-service lua.state\n"
        f"frontend told\n  bind 127.0.0.1:{DOOR_PORT}\n  http-request use-service lua.told\n"
    )
