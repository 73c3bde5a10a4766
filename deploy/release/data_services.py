"""Data services: brought up before the release that needs them, and attached to its networks."""

from __future__ import annotations

from deploy.model.errors import CommandError, DeployError
from deploy.model.kinds import Kind
from deploy.model.release import ReleaseRecord
from deploy.release.change import Change
from deploy.release.site import Site
from deploy.release.steps import Action
from deploy.ui import Step

READY_TIMEOUT_S = 300


class DataUp(Action):
    """Brings the data project to the staged state. Never undone: the old release can work with a newer definition, and
    a database is not restarted twice for a release that failed."""

    title = "Bring up the data services"

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        site = self._change.site
        try:
            site.run("data-up.sh", str(site.layout.root), READY_TIMEOUT_S, on_line=step.show)
        except CommandError as error:
            logs = site.shell.run(site.compose_data.then("logs", "--tail", 20, "--no-color"), check=False).stdout
            raise DeployError(
                f"{site.shell.name}: the data services are not healthy",
                "nothing users see has changed; mend it and deploy again",
                details=logs or error.stderr,
            ) from error


class MakeNetworks(Action):
    """Makes the release's networks and its containers, not started, and puts the data services into these networks."""

    title = "Make the release's networks"

    def __init__(self, change: Change) -> None:
        self._change = change

    def run(self, step: Step) -> None:
        site, record = self._change.site, self._change.record
        command = site.compose(record.id).then("up", "--no-start", "--no-build", "--remove-orphans")
        site.shell.run(site.guarded(command), on_line=step.show)
        triples = [
            word
            for name in self._change.data
            for network, aliases in record.services[name].networks.items()
            if network in record.networks
            for word in (
                site.layout.data_container(name),
                site.layout.release_network(record.id, network),
                ",".join(aliases),
            )
        ]
        site.run("attach.sh", *triples)

    def undo(self) -> None:
        leave_networks(self._change.site, self._change.record)


def leave_networks(site: Site, record: ReleaseRecord) -> None:
    """Take the lasting containers, data services and edge, out of a release's networks."""
    containers = [site.layout.data_container(name) for name, one in record.services.items() if one.kind == Kind.DATA]
    pairs = [
        word
        for container in (*containers, site.layout.edge_container)
        for network in sorted(record.networks)
        for word in (container, site.layout.release_network(record.id, network))
    ]
    site.run("detach.sh", *pairs)
