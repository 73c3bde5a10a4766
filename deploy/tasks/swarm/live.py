"""What runs on a cluster: looked at, entered, restarted, scaled."""

from __future__ import annotations

import sys

from deploy.model.command import Command
from deploy.model.errors import DeployError, UsageError, nearest
from deploy.model.settings import Environment
from deploy.model.stack import one_service
from deploy.tasks.app import App
from deploy.tasks.recovery import recovery_document, recovery_lines, recovery_of
from deploy.tasks.swarm.reach import changing, chosen, home_of, manager, members_of
from deploy.ui.reports import summary
from deploy.ui.units import count

LOGS_TIMEOUT_S = 15
"""How long a service's logs may take before the nodes that are still waited for count as lost."""


def status(app: App, environment: Environment, given: list[str], *, json: bool) -> None:
    """Show services, nodes and what is wrong. Raises DeployError when anything is."""
    from deploy.model.swarm.report import (
        NODE_HEADINGS,
        STATUS_HEADINGS,
        node_rows,
        status_hints,
        status_problems,
        status_rows,
    )
    from deploy.release.swarm.change import look
    from deploy.release.swarm.edge import edge_problems

    with members_of(app, environment, given) as members:
        lead = chosen(app, members, app.hosts(environment, given))
        site, spec = lead.site, lead.spec
        facts, cluster = site.facts(), look(site)
        project = site.layout.project
        home = home_of(members, lead) or site
        recovery = recovery_of(home, facts if home is site else home.facts(), environment)
        problems = (
            *status_problems(cluster, facts, project),
            *edge_problems(site, facts, cluster, lead.node),
            *recovery.problems,
        )
        hints = tuple(status_hints(cluster))
        rows, nodes = [*status_rows(cluster, facts, project)], [*node_rows(cluster, project)]
        live = facts.live
    if json:
        app.console.json(
            {
                "host": spec,
                "live": live.id if live else None,
                "problems": problems,
                "hints": hints,
                "maintenance": dict(facts.maintenance) or None,
                "services": [dict(zip(STATUS_HEADINGS, row, strict=True)) for row in rows],
                "nodes": [dict(zip(NODE_HEADINGS, row, strict=True)) for row in nodes],
                **recovery_document(recovery),
            }
        )
    else:
        title = f"{live.id} ({live.revision}, {live.revision.subject})" if live else "no release is live"
        app.console.data(f"{project} on the cluster of {spec}: {title}")
        app.console.table(STATUS_HEADINGS, rows)
        app.console.table(NODE_HEADINGS, nodes)
        app.console.data(summary(facts))
        for note in (*recovery.notes, *hints):
            app.console.warn(note)
        for line in recovery_lines(recovery, facts.now):
            app.console.data(line)
        for problem in problems:
            app.console.error(f"✗ {problem}")
    if problems:
        raise DeployError(
            f"{count(len(problems), 'problem')} found", f"inv {environment.name}.logs shows what services say"
        )
    if not json:
        app.console.good("All is well.")


def logs(app: App, environment: Environment, given: list[str], service: str, *, follow: bool, tail: str) -> None:
    """Hand the terminal to the logs of a service, from all nodes; of all services one after the other."""
    from deploy.model.swarm import names
    from deploy.release.swarm.change import look

    with manager(app, environment, given) as (site, _):
        project = site.layout.project
        known = {one.name: names.service_name(one.stack, one.name) for one in look(site).services}
        if service and service not in known:
            raise UsageError(f"there is no service '{service}' in the cluster", nearest(service, [*known]))
        if not service and follow:
            raise UsageError(
                "a cluster's logs are followed one service at a time", f"add --service {next(iter(known), 'NAME')}"
            )
        wanted = [known[service]] if service else [one for name, one in known.items() if one.startswith(f"{project}_")]
        if follow:
            app.hand_over(site, Command("docker", "service", "logs", "--tail", tail, "--follow", *wanted), tty=True)
        app.hand_over(site, site.bare("swarm-logs.sh", LOGS_TIMEOUT_S, tail, *wanted), tty=False)


def execute(app: App, environment: Environment, given: list[str], service: str, words: list[str], *, tty: bool) -> None:
    """Hand the terminal to a command in a running container of a service, on whichever of the known hosts it is."""
    from deploy.release.swarm.change import look
    from deploy.release.swarm.task import running_of

    with members_of(app, environment, given) as members:
        lead = chosen(app, members, app.hosts(environment, given))
        found = running_of(look(lead.site), lead.site.layout.project, service)
        # where we are already is nearest, and a node that is lost may still be said to run it
        for one in sorted(found, key=lambda one: (one.node.state != "ready", one.node.id != lead.node)):
            if there := lead if one.node.id == lead.node else members.node(one.node):
                app.hand_over(there.site, in_container(one.container, words), tty=tty)
    where = ", ".join(sorted({f"{one.node.hostname} ({one.node.address})" for one in found}))
    raise UsageError(
        f"{service} runs on {where}, which is none of the hosts that are known here",
        f"name it under nodes: in deploy.environments.{environment.name}, or add --host user@{found[0].node.address}",
    )


def in_container(container: str, words: list[str]) -> Command:
    """A command in a container, with a terminal where there is one here."""
    return Command("docker", "exec", "--interactive").flag("--tty", sys.stdin.isatty()).then(container, *words)


def shell(app: App, environment: Environment, given: list[str], service: str) -> None:
    """The application's own shell."""
    with manager(app, environment, given) as (site, spec):
        live = site.facts().live
    if live is None:
        raise UsageError(f"{spec}: no release is live there", "deploy one first")
    commands = {
        name: one.commands["shell"]
        for name, one in live.services.items()
        if "shell" in one.commands and service in ("", name)
    }
    chosen = one_service(commands, "shell")
    execute(app, environment, given, chosen, [*commands[chosen]], tty=True)


def restart(app: App, environment: Environment, given: list[str], service: str, *, yes: bool) -> None:
    """Replace the containers of a service, or of all that a release brings, by new ones, as an update does."""
    from deploy.model.swarm import names
    from deploy.model.swarm.progress import Watch
    from deploy.release.lock import require_thawed
    from deploy.release.swarm.change import look
    from deploy.release.swarm.lock import cluster_locked
    from deploy.release.swarm.roll import settle

    with changing(app, environment, given) as (members, lead):
        site, spec = lead.site, lead.spec
        require_thawed(site.facts())
        cluster = look(site)
        chosen = [one for one in cluster.services if one.name == service or (not service and one.release)]
        if not chosen:
            raise UsageError(
                f"there is no service '{service}' in the cluster",
                nearest(service, [one.name for one in cluster.services]),
            )
        what = service or "every service"
        app.console.confirm(f"Restart {what} on the cluster of {spec}?", yes=yes, consequence="containers are replaced")
        with (
            cluster_locked(lead, members, f"restarting {what}", app.console),
            app.console.step(f"Restart {what}") as step,
        ):
            for one in chosen:
                update = Command("docker", "service", "update", "--force", "--detach", "--quiet")
                site.shell.run(site.guarded(update.then(names.service_name(one.stack, one.name))))
            for stack in dict.fromkeys(one.stack for one in chosen):
                settle(site, Watch(stack, known=frozenset(task.id for task in cluster.tasks if task.broke)), step)
        app.console.good(f"Restarted {what} on the cluster of {spec}.")


def scale(app: App, environment: Environment, given: list[str], wanted: str) -> None:
    """Give a service another number of containers, until the next deploy."""
    from deploy.model.swarm import names
    from deploy.model.swarm.progress import Watch
    from deploy.release.lock import require_thawed
    from deploy.release.swarm.change import look
    from deploy.release.swarm.lock import cluster_locked
    from deploy.release.swarm.roll import settle

    service, _, number = wanted.partition("=")
    if not number.isdecimal():
        raise UsageError(f"'{wanted}': that is no service and a number", f"inv {environment.name}.scale web=3")
    with changing(app, environment, given) as (members, lead):
        site, spec = lead.site, lead.spec
        facts, cluster = site.facts(), look(site)
        require_thawed(facts)
        live = facts.live.services.get(service) if facts.live else None
        one = cluster.service(names.app_stack(site.layout.project), service)
        if one is None or live is None:
            known = [one.name for one in cluster.of(names.app_stack(site.layout.project))]
            raise UsageError(f"no release brings a service '{service}' to the cluster", nearest(service, known))
        if one.wanted is None:
            raise UsageError(f"{service} runs once on every node", "leave deploy.mode out of its compose file first")
        if live.exclusive and int(number) > 1:
            raise UsageError(
                f"{service} can run once only: {live.exclusive}", f"inv {environment.name}.scale {service}=1"
            )
        with (
            cluster_locked(lead, members, f"scaling {wanted}", app.console),
            app.console.step(f"Scale {service} from {one.wanted} to {number}") as step,
        ):
            told = f"{names.service_name(one.stack, service)}={number}"
            site.shell.run(site.guarded(Command("docker", "service", "scale", "--detach", told)))
            settle(site, Watch(one.stack, known=frozenset(task.id for task in cluster.tasks if task.broke)), step)
        app.console.good(f"{service} runs {number} times on the cluster of {spec}.")
        app.console.say(
            f"Next: deploy.replicas: {number} in the compose file makes it last; the next deploy sets that."
        )
