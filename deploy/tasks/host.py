"""`host.*`: making machines ready."""

from __future__ import annotations

from invoke.collection import Collection

from deploy.engine.install import local_user, set_up
from deploy.model.command import Command
from deploy.model.errors import UsageError
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP, YES_HELP, task


@task(
    iterable=("host", "key", "allow", "label"),
    help={
        "host": f"{HOST_HELP} (default: this machine)",
        "environment": "whose folder to make there",
        "user": "make this user there to deploy as, in the group docker, and give it the folder",
        "key": "file with a public key that may log in as that user; repeatable (default: the one we log in with)",
        "sudo": "whoever deploys does so through sudo, and is not put into the group docker",
        "updates": "let the host install updates of its packages by itself",
        "firewall": "let nobody in but to SSH and the public ports of the stack; what Docker publishes is guarded too",
        "allow": "a port to let in besides, for example 8443 or 53/udp; repeatable",
        "swarm": "join the hosts into one cluster, with a registry of its own; the first one leads",
        "managers": "with --swarm: how many of the hosts manage it, from the first on (default: 1; odd numbers: 3, 5)",
        "label": "with --swarm: HOST=KEY=VALUE for placement, windlass.data.PROJECT=yes for data; HOST=KEY= removes",
        "advertise": "with --swarm: the first host's address or interface in the cluster; else where it was reached",
        "yes": YES_HELP,
    },
)
def setup(
    app: App,
    host: list[str],
    key: list[str],
    allow: list[str],
    label: list[str],
    environment: str = "prod",
    user: str = "",
    *,
    sudo: bool = False,
    updates: bool = False,
    firewall: bool = False,
    swarm: bool = False,
    managers: int = 1,
    advertise: str = "",
    yes: bool = False,
) -> None:
    """Install what is missing of Docker Engine, compose v2 and buildx, and start the engine; say what was done.

    Works on Debian and Ubuntu, as root or with sudo, any number of times. What goes beyond that is done only when it is
    asked for, and after it was shown. Examples: inv host.setup --host root@app1;
    inv host.setup --host root@app1 --user deploy --updates --firewall
    """
    if not swarm and (label or advertise or managers != 1):
        raise UsageError("--managers, --label and --advertise are about a cluster", "add --swarm")
    if swarm:
        from deploy.tasks.swarm.joining import set_up_cluster

        set_up_cluster(app, host, environment, managers=managers, labels=label, advertise=advertise)
        return
    from deploy.tasks.hardening import Hardening

    more = Hardening.of(
        user=user, keys=key, sudo=sudo, updates=updates, firewall=firewall, allow=allow, has_host=bool(host)
    )
    if not host:
        with app.console.step("Set up this machine"):
            set_up(app.shell(), user=local_user(), on_line=app.console.note)
        app.console.good("This machine is ready.")
        app.console.say("Next: inv dev.up.")
        return
    target = app.settings.environment(environment)
    if target.local:
        raise UsageError("--environment dev: that one is this machine's, and has no folder on a host", "leave it out")
    for spec in app.hosts(target, host):
        with app.site(target, spec, sudo=False) as site:
            work = more.on(app, target, site)
            work.agree(yes=yes)
            with app.console.step(f"Set up {spec}"):
                who = site.shell.run(Command("id", "-un")).stdout.strip()
                # the folder is that user's who deploys, and so is the membership
                mine = "" if user or sudo or target.sudo else who
                set_up(site.shell, user=mine, folder="" if user else str(target.path), on_line=app.console.note)
            work.carry_out()
        app.console.good(f"{spec} is ready.")
        app.console.say(f"Next: inv {environment}.deploy --host {work.deploys_as}.")
        work.say_how()


NODE_HELP = "the node: as invoke.yaml has it, user@server, or what prod.status calls it"
ENV_HELP = "whose cluster, by its managers in invoke.yaml"
WITH_DATA_HELP = "also a node that keeps data or the registry"


@task(
    dry=True,
    help={
        "host": NODE_HELP,
        "env": ENV_HELP,
        "with-data": f"{WITH_DATA_HELP}: they stop until it is back",
        "yes": YES_HELP,
    },
)
def drain(app: App, host: str = "", env: str = "prod", *, with_data: bool = False, yes: bool = False) -> None:
    """Take a cluster's node out of work: what runs there moves, container by container, before the rest is stopped.

    Nobody is refused on the other nodes; the node's own edge ends last. Examples: inv host.drain --host w1;
    inv --dry host.drain --host w1 only shows what would move
    """
    from deploy.tasks.swarm import nodes

    nodes.drain(app, env, host, with_data=with_data, yes=yes)


@task(dry=True, help={"host": NODE_HELP, "env": ENV_HELP, "yes": YES_HELP})
def activate(app: App, host: str = "", env: str = "prod", *, yes: bool = False) -> None:
    """Let a cluster's node take part again after `drain` or a loss, and give it its share of the containers.

    Services roll over for that without a lost request. Example: inv host.activate --host w1
    """
    from deploy.tasks.swarm import nodes

    nodes.activate(app, env, host, yes=yes)


@task(
    dry=True,
    help={
        "host": NODE_HELP,
        "env": ENV_HELP,
        "with-data": f"{WITH_DATA_HELP}: the cluster is without it then",
        "yes": YES_HELP,
    },
)
def leave(app: App, host: str = "", env: str = "prod", *, with_data: bool = False, yes: bool = False) -> None:
    """Take a node out of its cluster for good: drained, no manager any more, gone. Also one that is lost.

    Refused for a manager that the others need. Example: inv host.leave --host w2
    """
    from deploy.tasks.swarm import nodes

    nodes.leave(app, env, host, with_data=with_data, yes=yes)


def collection() -> Collection:
    return Collection("host", activate, drain, leave, setup)
