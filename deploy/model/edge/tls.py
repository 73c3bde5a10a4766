"""Public names that the edge answers to over TLS, and the certificates it has for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from deploy.model.errors import UsageError
from deploy.model.release import ReleaseRecord

HTTP_PORT = 80
HTTPS_PORT = 443
PLACEHOLDER = "Windlass placeholder"
"""Issuer of the certificate that is there until the real one is."""


@dataclass(frozen=True)
class Tls:
    """Names to have certificates for, and who issues them."""

    names: Mapping[str, str]
    """Public name to the service that answers it."""
    email: str
    server: str
    """Address of the ACME directory."""
    ca: str = ""
    """Certificate that the ACME server itself is trusted by, in PEM; empty for a public one."""


@dataclass(frozen=True)
class Certificate:
    """A certificate as the running edge has it."""

    name: str
    issuer: str
    expires_at: datetime | None
    trouble: str = ""
    """What the last try to get a newer one ended with; empty when it ended well."""

    @property
    def placeholder(self) -> bool:
        return PLACEHOLDER in self.issuer


def tls_of(
    record: ReleaseRecord, domains: Mapping[str, tuple[str, ...]], *, email: str, server: str, ca: str
) -> Tls | None:
    """What the edge does about TLS for a release; nothing when there are no names or the stack has port 443 itself.

    Raises UsageError for names that cannot be answered.
    """
    if not domains or any(public.port.published == HTTPS_PORT for public in record.public):
        return None
    names: dict[str, str] = {}
    answering = sorted({public.service for public in record.public if public.port.http})
    for service, own in domains.items():
        if service not in answering:
            raise UsageError(
                f"domains.{service}: the service publishes no HTTP port",
                f"those that do: {', '.join(answering) or 'none'}; `acme: false` leaves TLS to somebody else",
            )
        names |= dict.fromkeys(own, service)
    if any(public.port.published == HTTP_PORT and not public.port.http for public in record.public):
        raise UsageError(
            "port 80 is passed through as TCP: certificates cannot be had through it",
            "set `acme: false` to leave TLS to the stack, or say `app_protocol: http` for that port",
        )
    return Tls(names, email or f"hostmaster@{next(iter(names))}", server, ca)


def parse_certificates(shown: str, failures: str) -> Iterator[Certificate]:
    """Certificates from what HAProxy's `show ssl cert` printed, and lines of a name and what its renewal met."""
    troubles = dict(line.partition(" ")[::2] for line in failures.splitlines())
    found: dict[str, str] = {}
    for line in [*shown.splitlines(), "Filename: "]:
        key, _, value = line.partition(": ")
        if key == "Filename":
            if found.get("Filename"):
                yield _certificate(found, troubles)
            found = {}
        found[key] = value.strip()


def _certificate(found: Mapping[str, str], troubles: Mapping[str, str]) -> Certificate:
    name = PurePosixPath(found["Filename"]).stem
    try:
        # OpenSSL's words, in English whatever the host speaks: "Nov 24 22:57:12 2026 GMT"
        expires_at = datetime.strptime(found.get("notAfter", ""), "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)
    except ValueError:
        expires_at = None
    return Certificate(name, found.get("Issuer", ""), expires_at, troubles.get(name, "").strip())
