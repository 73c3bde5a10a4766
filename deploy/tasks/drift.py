"""The task that compares a host, or a cluster, with what was put there: drift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke.tasks import Task

from deploy.model.errors import DeployError, UsageError
from deploy.model.settings import Engine, Environment
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP, JSON_HELP, task
from deploy.tasks.swarm import manager
from deploy.ui.units import count

if TYPE_CHECKING:
    from deploy.model.drift import Drift
    from deploy.model.facts import Facts
    from deploy.model.release import ReleaseRecord
    from deploy.release.site import Site


def drift_task(name: str) -> Task[Any]:
    """For one environment."""

    @task(iterable=("host",), help={"host": HOST_HELP, "json": JSON_HELP})
    def drift(app: App, host: list[str], json: bool = False) -> None:
        """Show what was changed on each host by hand since the last release; ends with status 1 when anything was.

        Files, containers, images, networks, the edge's configuration on disk and in memory; on a cluster its services,
        networks and labels. Changes nothing. Example: inv prod.drift --host deploy@app1.example.com
        """
        environment = app.settings.environment(name)
        told = _Told(app, environment, json=json)
        if environment.engine == Engine.SWARM:
            with manager(app, environment, host) as (site, spec):
                told.look(site, spec)
        else:
            for spec in app.hosts(environment, host):
                with app.site(environment, spec) as site:
                    told.look(site, spec)
        told.end()

    return drift


class _Told:
    """Says what differs, host by host, or in one document of all."""

    def __init__(self, app: App, environment: Environment, *, json: bool) -> None:
        self._app = app
        self._environment = environment
        self._json = json
        self._documents: list[dict[str, Any]] = []

    def look(self, site: Site, spec: str) -> None:
        """Raises UsageError where no release is live."""
        facts = site.facts()
        if facts.live is None:
            raise UsageError(f"{spec}: no release is live there", "deploy one first")
        drifted = self._drift(site, facts, facts.live)
        self._documents.append({"host": spec, "live": facts.live.id, "drift": [one.to_json() for one in drifted]})
        if self._json:
            return
        console = self._app.console
        for one in drifted:
            console.data(f"{spec}: {one}")
            console.say(f"  → {one.remedy}")
        if not drifted:
            console.good(f"{spec} is as {facts.live.id} was put there.")

    def _drift(self, site: Site, facts: Facts, live: ReleaseRecord) -> tuple[Drift, ...]:
        from deploy.release.swarm.change import drift_of

        verbs = f"inv {self._environment.name}"
        if self._environment.engine == Engine.SWARM:
            return drift_of(site, facts, live, verbs)
        return site.drift(facts, live, verbs)

    def end(self) -> None:
        """Raises DeployError where anything differs."""
        if self._json:
            self._app.console.json(self._documents)
        if found := sum(len(one["drift"]) for one in self._documents):
            raise DeployError(f"{count(found, 'change')} by hand found")
