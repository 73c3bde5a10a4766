"""The tasks around what runs on an environment's hosts: status, releases, logs, shell, exec, restart."""

from __future__ import annotations

from typing import Any

from invoke.tasks import Task

from deploy.model.errors import DeployError
from deploy.model.options import split
from deploy.model.stack import one_service
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP, JSON_HELP, YES_HELP, task
from deploy.ui.reports import (
    RELEASE_HEADINGS,
    STATUS_HEADINGS,
    release_rows,
    status_problems,
    status_rows,
    summary,
)
from deploy.ui.units import count, size

SERVICE_HELP = "only this service"


def live_tasks(name: str) -> tuple[Task[Any], ...]:  # noqa: C901, PLR0915  # one short task after the other
    """For one environment, whose name they share."""

    @task(iterable=("host",), help={"host": HOST_HELP, "json": JSON_HELP})
    def status(app: App, host: list[str], json: bool = False) -> None:
        """Show what runs on each host and what is wrong with it; ends with status 1 when anything is.

        Example: inv prod.status --host deploy@app1.example.com
        """
        environment = app.settings.environment(name)
        wrong = 0
        documents = []
        for spec in app.hosts(environment, host):
            with app.site(environment, spec) as site:
                facts = site.facts()
                problems = status_problems(facts, site.layout)
                rows = list(status_rows(facts, site.layout))
                wrong += len(problems)
                if json:
                    documents.append(
                        {
                            "host": spec,
                            "live": facts.live.id if facts.live else None,
                            "problems": problems,
                            "services": [dict(zip(STATUS_HEADINGS, row, strict=True)) for row in rows],
                        }
                    )
                    continue
                live = facts.live
                title = f"{live.id} ({live.revision}, {live.revision.subject})" if live else "no release is live"
                app.console.data(f"{site.layout.project} on {spec}: {title}")
                app.console.table(STATUS_HEADINGS, rows)
                app.console.data(
                    f"{summary(facts)}; {count(len(facts.releases), 'release')} kept; "
                    f"{size(facts.data_free_bytes)} free; Docker {facts.engine_version}, {facts.distribution}"
                )
                for problem in problems:
                    app.console.error(f"✗ {problem}")
        if json:
            app.console.json(documents)
        if wrong:
            raise DeployError(f"{count(wrong, 'problem')} found", f"inv {name}.logs shows what services say")
        if not json:
            app.console.good("All is well.")

    @task(iterable=("host",), help={"host": HOST_HELP, "json": JSON_HELP})
    def releases(app: App, host: list[str], json: bool = False) -> None:
        """List every change of what runs on a host, newest first: who, when, from which revision, with what outcome.

        Example: inv prod.releases --host deploy@app1.example.com
        """
        environment = app.settings.environment(name)
        keys = ("live", *RELEASE_HEADINGS[1:])
        documents = []
        for spec in app.hosts(environment, host):
            with app.site(environment, spec) as site:
                rows = list(release_rows(site.facts()))
                documents += [{"host": spec} | dict(zip(keys, row, strict=True)) for row in rows]
                if not json:
                    app.console.data(f"{site.layout.project} on {spec}")
                    app.console.table(RELEASE_HEADINGS, rows)
        if json:
            app.console.json(documents)

    @task(
        iterable=("host",),
        help={
            "host": HOST_HELP,
            "service": SERVICE_HELP,
            "follow": "go on as lines arrive",
            "tail": "lines per service",
        },
    )
    def logs(app: App, host: list[str], service: str = "", follow: bool = False, tail: str = "100") -> None:
        """Print the last log lines of the live release and its data services, as `ssh -t` would show them.

        Example: inv prod.logs --host app1 --service backend --follow
        """
        with app.one_site(name, host) as site:
            _, compose = app.live(site, service)
            wanted = [service] if service else []
            words = compose.then("logs", "--tail", tail).flag("--follow", follow).then(*wanted)
            app.hand_over(site, words, tty=follow)

    @task(iterable=("host",), help={"host": HOST_HELP, "service": "needed when more than one declares x-deploy.shell"})
    def shell(app: App, host: list[str], service: str = "") -> None:
        """Open the application's own shell (x-deploy.shell) in the live release.

        For a shell of the operating system: inv prod.exec backend sh --host app1
        """
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
        with app.one_site(name, host) as site:
            _, compose = app.live(site, service)
            app.hand_over(site, compose.then("exec", service, *split(command, "the command")), tty=True)

    @task(iterable=("host",), help={"host": HOST_HELP, "service": SERVICE_HELP, "yes": YES_HELP})
    def restart(app: App, host: list[str], service: str = "", yes: bool = False) -> None:
        """Restart the containers of the live release where they stand; requests fail until they are back.

        To restart without losing a request: inv prod.deploy --rebuild.
        Example: inv prod.restart --host app1 --service worker
        """
        environment = app.settings.environment(name)
        for spec in app.hosts(environment, host):
            with app.site(environment, spec) as site:
                _, compose = app.live(site, service)
                what = service or "every service"
                app.console.confirm(
                    f"Restart {what} on {spec}?", yes=yes, consequence="requests fail until the containers are back"
                )
                with app.console.step(f"Restart {what} on {spec}") as step:
                    site.shell.run(
                        site.guarded(compose.then("restart", *([service] if service else []))), on_line=step.show
                    )
                app.console.good(f"Restarted {what} on {spec}.")

    return exec_, logs, releases, restart, shell, status
