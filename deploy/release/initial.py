"""Data services as they were set up: a password that is read when a volume is new replaces no container later."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from deploy.model.initial import PASSWORD, passed_over, with_initial
from deploy.model.release import ReleaseRecord
from deploy.model.stack import Service
from deploy.release.environment import definitions
from deploy.release.prepare import Prepared
from deploy.release.site import Site


def as_set_up(prepared: Prepared, site: Site, *, rotating: bool = False) -> Prepared:
    """The same for a host whose data services know other passwords by their definition; a round trip where some do.

    A release that brings another password than its database has is warned of, unless that is `rotating` just now.
    """
    facts = site.first_look
    logins = tuple(passed_over(prepared.stack, prepared.record, facts.data)) if facts.live else ()
    if not logins or facts.live is None:
        return prepared
    there = definitions(site, facts.live)
    passwords = {
        one.service: str(password)
        for one in logins
        if (password := ((there.get(one.service) or {}).get("environment") or {}).get(PASSWORD)) is not None
    }
    new = {prepared.stack.services[name].environment[PASSWORD] for name in passwords}
    stack, record = with_initial(prepared.stack, prepared.record, facts.data, passwords)
    warnings = prepared.warnings
    if not rotating and any(_brings(one, record, facts.live, new) for one in stack.app):
        told = f"{', '.join(passwords)} is not told of another {PASSWORD}, which is read when its volume is new"
        warnings += (f"{told} → unless its role has it already, put the old one back, then inv env.rotate {PASSWORD}",)
    return dataclasses.replace(prepared, stack=stack, record=record, warnings=warnings)


def _brings(service: Service, record: ReleaseRecord, live: ReleaseRecord, passwords: Collection[str | None]) -> bool:
    """Whether a service gets one of the passwords, and did not in the live release."""
    before = live.services[service.name].parts if service.name in live.services else {}
    now = record.services[service.name].parts
    parts = (f"environment.{key}" for key, value in service.environment.items() if value in passwords)
    return any(before.get(part) != now.get(part) for part in parts)
