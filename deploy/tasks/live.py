"""The tasks around what runs on an environment's hosts: status, releases, logs, shell, exec, restart."""

from __future__ import annotations

from typing import Any

from invoke.tasks import Task

from deploy.model.errors import DeployError, UsageError
from deploy.model.facts import Facts
from deploy.model.options import split_command
from deploy.model.settings import Engine
from deploy.model.stack import one_service
from deploy.tasks import swarm
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP, JSON_HELP, YES_HELP, message_of, tail_of, task
from deploy.tasks.hosts import visit
from deploy.ui.history import RELEASE_HEADINGS, STEPS_HEADING, release_documents, release_rows
from deploy.ui.units import count

SERVICE_HELP = "only this service"
EDGE = "edge"


def live_tasks(name: str) -> tuple[Task[Any], ...]:  # noqa: C901, PLR0915  # one short task after the other
    """For one environment, whose name they share."""

    @task(iterable=("host",), help={"host": HOST_HELP, "json": JSON_HELP})
    def status(app: App, host: list[str], json: bool = False) -> None:
        """Show what runs on each host and what is wrong with it; ends with status 1 when anything is.

        With it the newest backup of each database, and what the project takes of the disk. A host that cannot be asked
        counts as a problem. Example: inv prod.status --host deploy@app1.example.com
        """
        from deploy.tasks.status import show_status

        environment = app.settings.environment(name)
        if environment.engine == Engine.SWARM:
            swarm.status(app, environment, host, json=json)
        else:
            show_status(app, environment, app.hosts(environment, host), as_json=json)

    @task(
        iterable=("host",),
        help={"host": HOST_HELP, "steps": "show how long each step took, too", "json": JSON_HELP},
    )
    def releases(app: App, host: list[str], steps: bool = False, json: bool = False) -> None:
        """List every change of what runs on a host, newest first: who, when, from which revision, with what outcome.

        Example: inv prod.releases --host deploy@app1.example.com
        """
        environment = app.settings.environment(name)
        headings = (*RELEASE_HEADINGS, STEPS_HEADING) if steps else RELEASE_HEADINGS
        if environment.engine == Engine.SWARM:
            with swarm.manager(app, environment, host) as (_, leads):
                host = [leads]
        hosts = app.hosts(environment, host)
        documents: list[dict[str, Any]] = []

        def show(spec: str, facts: Facts) -> None:
            documents.extend({"host": spec} | one for one in release_documents(facts))
            if not json:
                app.console.data(f"{environment.project} on {spec}")
                app.console.table(headings, release_rows(facts, steps=steps))

        failed = visit(app, environment, hosts, lambda site: site.facts(), show)
        if json:
            app.console.json(documents)
        if failed:
            raise DeployError(
                f"{len(failed)} of {count(len(hosts), 'host')} could not be asked", "see above; then run this again"
            )

    @task(
        iterable=("host",),
        help={
            "host": HOST_HELP,
            "service": f"{SERVICE_HELP}, or '{EDGE}': the access log, and what became of certificates",
            "follow": "go on as lines arrive",
            "tail": "lines per service",
        },
    )
    def logs(app: App, host: list[str], service: str = "", follow: bool = False, tail: str = "100") -> None:
        """Print the last log lines of the live release, of a data service, or of the edge (who asked for what).

        Example: inv prod.logs --host app1 --service edge --follow
        """
        tail = tail_of(tail)
        if swarm.is_swarm(app, name):
            swarm.logs(app, app.settings.environment(name), host, service, follow=follow, tail=tail)
            return
        with app.one_site(name, host) as site:
            compose = site.compose_edge if service == EDGE else app.live(site, service)[1]
            wanted = (
                [service] if service not in {"", EDGE} else []
            )  # beside the edge its ACME client has something to say
            words = compose.then("logs", "--tail", tail).flag("--follow", follow).then(*wanted)
            app.hand_over(site, words, tty=follow)

    @task(iterable=("host",), help={"host": HOST_HELP, "service": "needed when more than one declares x-deploy.shell"})
    def shell(app: App, host: list[str], service: str = "") -> None:
        """Open the application's own shell (x-deploy.shell) in the live release.

        For a shell of the operating system: inv prod.exec backend sh --host app1
        """
        if swarm.is_swarm(app, name):
            swarm.shell(app, app.settings.environment(name), host, service)
            return
        with app.one_site(name, host) as site:
            record, compose = app.live(site, service)
            commands = {
                found: one.commands["shell"]
                for found, one in record.services.items()
                if "shell" in one.commands and service in ("", found)
            }
            chosen = one_service(commands, "shell")
            app.hand_over(site, compose.then("exec", chosen, *commands[chosen]), tty=True)

    @task(
        name="exec",
        positional=("service", "command"),
        iterable=("host",),
        help={"service": "where to run it", "command": "what to run, quoted as one word", "host": HOST_HELP},
    )
    def exec_(app: App, service: str, command: str, host: list[str]) -> None:
        """Run a command in a running container of the live release.

        Example: inv prod.exec backend "python manage.py check --deploy" --host app1
        """
        words = split_command(command)
        if swarm.is_swarm(app, name):
            swarm.execute(app, app.settings.environment(name), host, service, words, tty=True)
            return
        with app.one_site(name, host) as site:
            _, compose = app.live(site, service)
            app.hand_over(site, compose.then("exec", service, *words), tty=True)

    @task(iterable=("host",), help={"host": HOST_HELP, "service": SERVICE_HELP, "yes": YES_HELP})
    def restart(app: App, host: list[str], service: str = "", yes: bool = False) -> None:
        """Restart the containers of the live release where they stand; requests fail until they are back.

        To restart without losing a request: inv prod.deploy --rebuild.
        Example: inv prod.restart --host app1 --service worker
        """
        from deploy.release.lock import require_thawed

        environment = app.settings.environment(name)
        if environment.engine == Engine.SWARM:
            swarm.restart(app, environment, host, service, yes=yes)
            return
        for spec in app.hosts(environment, host):
            with app.site(environment, spec) as site:
                facts = site.facts()
                _, compose = app.live(site, service)
                require_thawed(facts)
                what = service or "every service"
                app.console.confirm(
                    f"Restart {what} on {spec}?", yes=yes, consequence="requests fail until the containers are back"
                )
                with app.console.step(f"Restart {what} on {spec}") as step:
                    site.shell.run(
                        site.guarded(compose.then("restart", *([service] if service else []))), on_line=step.show
                    )
                app.console.good(f"Restarted {what} on {spec}.")

    @task(
        positional=("state",),
        iterable=("host",),
        help={
            "state": "on or off",
            "host": HOST_HELP,
            "message": "what the page tells users; a sentence of ours without it",
        },
    )
    def maintenance(app: App, state: str, host: list[str], message: str = "") -> None:
        """Show users a maintenance page on every HTTP port (503, without a reload), or the release again.

        Deploys work behind it and leave it there; a restarted edge keeps it. On a cluster every node shows it. The page
        is ours, or the environment's `maintenance_page`.
        Example: inv prod.maintenance on --message "Back at 18:00." --host app1
        """
        from deploy.release.maintenance import maintain

        if state not in {"on", "off"}:
            raise UsageError(f"maintenance '{state}': it is either on or off", f"inv {name}.maintenance on")
        message = message_of(message)
        environment = app.settings.environment(name)
        what = "shows the maintenance page" if state == "on" else "shows the release"
        if environment.engine == Engine.SWARM:
            with swarm.manager(app, environment, host) as (site, _):
                where = maintain(environment, site, on=state == "on", message=message)
            app.console.good(f"{where} {what}.")
        else:
            for spec in app.hosts(environment, host):
                with app.site(environment, spec) as site:
                    where = maintain(environment, site, on=state == "on", message=message)
                app.console.good(f"{where} {what}.")
        if state == "on":
            app.console.say(f"Next: inv {name}.maintenance off ends it.")

    @task(
        positional=("wanted",),
        iterable=("host",),
        help={"wanted": "SERVICE=NUMBER", "host": HOST_HELP},
    )
    def scale(app: App, wanted: str, host: list[str]) -> None:
        """On a cluster: run a service a number of times, until the next deploy sets what its compose file says.

        Example: inv prod.scale web=3
        """
        environment = app.settings.environment(name)
        if environment.engine != Engine.SWARM:
            raise UsageError(
                f"{name}.scale is for clusters, and '{name}' is none",
                "set deploy.replicas in the compose file and deploy, or engine: swarm in invoke.yaml",
            )
        swarm.scale(app, environment, host, wanted)

    return exec_, logs, maintenance, releases, restart, scale, shell, status
