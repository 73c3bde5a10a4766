"""Keeping changes off a project on a cluster, whichever manager they come through, and letting them in again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from deploy.model.settings import Environment
from deploy.tasks.app import App
from deploy.tasks.swarm.reach import changing


def freeze_cluster(app: App, environment: Environment, given: list[str], message: str) -> str:
    """Raises DeployError while a change goes on: it would end after this. Returns what the cluster was reached by."""
    return _noted(app, environment, given, message)[0]


def thaw_cluster(app: App, environment: Environment, given: list[str]) -> tuple[str, Mapping[str, str]]:
    """What the cluster was reached by, and who had frozen it; nothing where nobody had."""
    return _noted(app, environment, given, "")


def _noted(app: App, environment: Environment, given: list[str], message: str) -> tuple[str, Mapping[str, str]]:
    from deploy.release.lock import freeze, thaw
    from deploy.release.swarm.lock import cluster_locked
    from deploy.release.swarm.records import Records, records_kept

    notes: list[str] = []
    with changing(app, environment, given) as (members, lead):
        purpose = "keeping changes off" if message else "letting changes in"
        with cluster_locked(lead, members, purpose, app.console) as hold:
            frozen = hold.facts.frozen
            if message or frozen:
                with records_kept(Records(lead, members), purpose, notes, app.console):
                    if message:
                        freeze(lead.site, message, datetime.now(UTC))
                    else:
                        thaw(lead.site)
    for note in notes:
        app.console.warn(note)
    return lead.spec, frozen
