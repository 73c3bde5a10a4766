"""Certificates of the edge as text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from deploy.model.facts import Facts

SOON = timedelta(days=14)
"""Renewal is tried from 30 days ahead: what is left then has not been renewed for long."""


def certificate_problems(facts: Facts, *, renewed: bool) -> Iterator[str]:
    """What is wrong with certificates of the names that the edge is meant to answer to, in sentences.

    `renewed`: whether the ACME client runs.
    """
    tls = facts.edge.tls if facts.edge else None
    if tls is None:
        return
    if not renewed:
        yield "the ACME client does not run: certificates are not renewed; deploy again"
    for certificate in facts.certificates:
        if certificate.name not in tls.names:
            continue
        why = f": {certificate.trouble}" if certificate.trouble else ""
        left = certificate.expires_at - facts.now if certificate.expires_at else timedelta.max
        if certificate.placeholder:
            yield f"{certificate.name} has no certificate yet{why}"
        elif left < timedelta(0):
            yield f"the certificate of {certificate.name} has expired{why}"
        elif why or left < SOON:
            yield f"the certificate of {certificate.name} is not renewed and ends in {left.days} days{why}"
