"""The frontends of `haproxy.cfg`: what users reach, the same on one host and on every node of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from deploy.model.edge.maintenance import RETRY_AFTER_S
from deploy.model.edge.paths import Paths
from deploy.model.edge.state import Listener
from deploy.model.edge.tls import HTTP_PORT, HTTPS_PORT, Tls

FIRST_PORT = 10000
"""Where the edge listens inside its container; published as the public ports."""
SECURE_PORT = 9443
PLAIN_PORT = 9080
"""Where the edge answers port 80 when the stack does not."""
CHALLENGE_PORT = 5002
"""Where the ACME client answers challenges."""

# when, who, what was asked for, status, bytes, time to the last byte, who answered, how it ended ("--": well)
_HTTP_LOG = (
    '  log-format "%[request_date,utime(%Y-%m-%dT%H:%M:%SZ)] %ci %HM %[var(txn.scheme)]://%[var(txn.host)]%HPO%HQ '
    '%ST %B bytes %Ta ms %b/%s %ts"\n'
)
_TCP_LOG = '  log-format "%[accept_date,utime(%Y-%m-%dT%H:%M:%SZ)] %ci tcp %f %B bytes %Tt ms %b/%s %ts"\n'
_TO_HTTPS = (
    "  http-request redirect code 308 location https://%[req.hdr(host),host_only]%[pathq] if secured !from_here\n"
)
# the probes of a switch come from inside the container: they ask the release, whatever users get
_FROM_HERE = "  acl from_here src 127.0.0.1\n"


@dataclass(frozen=True)
class Front:
    """What users reach, and where it leads."""

    listeners: tuple[Listener, ...]
    tls: Tls | None
    paths: Paths
    backend: Callable[[Listener], str]
    """The backend of a port, as `use_backend` takes it."""
    client: str
    """The name by which the ACME client is found."""

    def own(self) -> Iterator[tuple[Listener, str]]:
        """Each of the stack's own ports with its frontend's text."""
        for number, listener in enumerate(self.listeners):
            yield listener, self._frontend(listener, FIRST_PORT + number)

    def secure(self) -> Iterator[str]:
        """What stands beside the stack's own ports when there are names with certificates."""
        if self.tls is None:
            return
        certificates = " ".join(f"crt {self.paths.certificate(name)}" for name in self.tls.names)
        served = "".join(
            f"  use_backend {self.backend(listener)} if {{ var(txn.name) -m str {name} }}\n"
            for name, service in self.tls.names.items()
            if (listener := http_listener(self.listeners, service))
        )
        yield (
            f"frontend secure\n  mode http\n  bind :{SECURE_PORT} ssl {certificates} alpn h2,http/1.1\n"
            + described("https")
            + _FROM_HERE
            + _named(self.tls)
            + "  http-request return status 421 content-type text/plain string \"This name is not known here.\\n\" "
            "if !named\n"
            + self._in_maintenance(self._health_paths(self.tls))
            + forwarded("https", HTTPS_PORT)
            + served
        )  # fmt: skip
        if not answers_plain_http(self.listeners):
            yield (
                f"frontend plain\n  mode http\n  bind :{PLAIN_PORT}\n{described('http')}{_FROM_HERE}"
                + self._challenges(self.tls)
                + _TO_HTTPS
                + "  http-request return status 503 content-type text/plain string \"Only HTTPS is answered here.\\n\" "
                "if !challenge\n"
                "  use_backend acme if challenge\n"
            )  # fmt: skip
        yield f"backend acme\n  mode http\n  server lego {self.client}:{CHALLENGE_PORT} no-check\n"

    def _frontend(self, listener: Listener, port: int) -> str:
        head = f"frontend {listener.name}\n"
        choice = f"  use_backend {self.backend(listener)}\n"
        if not listener.port.http:
            return (
                f"{head}  mode tcp\n  bind :{port}\n{_TCP_LOG}{self._maintenance()}"
                f"  tcp-request content reject if maintenance\n{choice}"
            )
        redirected = self.tls is not None and listener.port.published == HTTP_PORT
        return (
            f"{head}  mode http\n  bind :{port}\n{described('http')}{_FROM_HERE}"
            + (self._challenges(self.tls) if self.tls and redirected else "")
            + self._in_maintenance([listener.health_path])
            + (_TO_HTTPS if redirected else "")
            + forwarded("http", listener.port.published)
            + ("  use_backend acme if challenge\n" if redirected else "")
            + choice
        )  # fmt: skip

    def _health_paths(self, tls: Tls) -> set[str]:
        found = (http_listener(self.listeners, service) for service in tls.names.values())
        return {listener.health_path for listener in found if listener}

    def _challenges(self, tls: Tls) -> str:
        return (
            _named(tls)
            + "  acl challenge_path path_beg /.well-known/acme-challenge/\n"
            + "  http-request set-var(txn.challenge) bool(true) if named challenge_path\n"
            + "  acl challenge var(txn.challenge) -m bool\n"
            + f"  acl issued var(txn.name),map_str({self.paths.issued_map},no) -m str yes\n"
            + "  http-request set-var(txn.secured) bool(true) if named issued !challenge\n"
            + "  acl secured var(txn.secured) -m bool\n"
        )

    def _maintenance(self) -> str:
        return f"  acl maintenance str(mode),map_str({self.paths.maintenance_map},off) -m str on\n"

    def _in_maintenance(self, health_paths: Iterable[str]) -> str:
        """A health path of its own goes on answering 200, so that a balancer in front sends users on to the page."""
        own = sorted({path.partition("?")[0] for path in health_paths} - {"/"})
        healthy = (
            '  http-request return status 200 content-type text/plain string "maintenance\\n" '
            f"if maintenance !from_here {{ path {' '.join(own)} }}\n"
            if own
            else ""
        )
        return (
            f"{self._maintenance()}{healthy}"
            "  http-request return status 503 content-type text/html "
            f"hdr Retry-After {RETRY_AFTER_S} hdr Cache-Control no-store lf-file {self.paths.page} "
            "if maintenance !from_here !{ var(txn.challenge) -m bool }\n"
        )


def answers_plain_http(listeners: Iterable[Listener]) -> bool:
    """Whether one of the stack's own ports is port 80, which challenges and redirects go through."""
    return any(listener.port.published == HTTP_PORT for listener in listeners)


def http_listener(listeners: Iterable[Listener], service: str) -> Listener | None:
    """The port whose containers answer a service's names: its first HTTP one."""
    return next((one for one in listeners if one.service == service and one.port.http), None)


def described(scheme: str) -> str:
    """What the access log needs to remember of a request."""
    return (
        f"{_HTTP_LOG}  http-request set-var(txn.scheme) str({scheme})\n"
        "  http-request set-var(txn.host) req.hdr(host)\n"
        "  http-request set-var(txn.name) req.hdr(host),host_only,lower\n"
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


def _named(tls: Tls) -> str:
    return f"  acl named var(txn.name) -m str {' '.join(tls.names)}\n"
