"""What `host.setup --swarm` does: machines made ready, joined into one cluster, and given a registry of its own."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.engine.install import set_up
from deploy.model.command import Command
from deploy.model.errors import UsageError
from deploy.model.swarm.node import parse_labels
from deploy.tasks.app import App
from deploy.tasks.hosts import connected
from deploy.ui.units import count


def set_up_cluster(
    app: App, host: list[str], environment: str, *, managers: int, labels: Sequence[str], advertise: str
) -> None:
    """Make one cluster of the named hosts. Raises UsageError for what cannot be, DeployError where it did not work."""
    from deploy.release.swarm.cluster import await_registry, bring_images, join, label, start_registry

    target = app.settings.environment(environment)
    specs = app.hosts(target, host)
    if not 1 <= managers <= len(specs):
        raise UsageError(f"--managers {managers}: there are {count(len(specs), 'host')}", "name more hosts, or fewer")
    wanted = parse_labels(labels, specs)
    app.require_engine(yes=False)
    with connected(app, target, specs, make_sandbox=True) as (sites, _):
        for spec, site in sites.items():
            with app.console.step(f"Set up {spec}"):
                user = site.shell.run(Command("id", "-un")).stdout.strip()
                set_up(site.shell, user=user, folder=str(target.path), on_line=app.console.note)
        joined = join(sites, managers, advertise, app.console)
        lead = sites[specs[0]]
        label(lead, joined, wanted)
        bring_images(sites, app.shell(), app.console, app.root)
        start_registry(lead, joined[0].membership, app.console)
        await_registry(sites, app.console)
    new = sum(one.new for one in joined)
    app.console.good(f"{count(len(joined), 'node')} in the cluster, {new} of them new; {specs[0]} leads.")
    lasting = [one.spec for one in joined if one.membership.manager or one.spec in specs[:managers]]
    if len(lasting) == 2:  # noqa: PLR2004  # a majority of two is two
        app.console.warn("with two managers the cluster stops taking changes when either is away: have one, or three")
    app.console.say(
        f"Next: engine: swarm and hosts: [{', '.join(lasting)}] under deploy.environments.{environment} in "
        f"invoke.yaml, then inv {environment}.deploy."
    )
