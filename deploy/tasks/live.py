"""The tasks around what runs on an environment's hosts: status, releases, logs, shell, exec, restart."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

from invoke.tasks import Task

from deploy.model.backup import Manifest
from deploy.model.errors import DeployError, UsageError
from deploy.model.options import split_command
from deploy.model.scheduled import state_document, state_lines, state_problems
from deploy.model.stack import one_service
from deploy.model.usage import backup_problems
from deploy.model.wal import Kept
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP, JSON_HELP, YES_HELP, message_of, tail_of, task
from deploy.ui.history import RELEASE_HEADINGS, STEPS_HEADING, release_documents, release_rows
from deploy.ui.reports import (
    STATUS_HEADINGS,
    backup_lines,
    disk_line,
    status_problems,
    status_rows,
    summary,
    wal_lines,
    warm_lines,
)
from deploy.ui.units import count

SERVICE_HELP = "only this service"
EDGE = "edge"


def _backup_document(service: str, manifest: Manifest | None, proved: Manifest | None) -> dict[str, Any]:
    about = (
        {
            "id": manifest.id,
            "at": manifest.started_at.isoformat(),
            "size_bytes": manifest.size_bytes,
            "proved": manifest == proved,
        }
        if manifest
        else {}
    )
    return {"service": service, "id": None, "at": None} | about


def _wal_document(kept: Kept) -> dict[str, Any]:
    since = kept.since.isoformat() if kept.since else None
    return {"service": kept.service, "since": since, "wal_bytes": kept.size_bytes, "problem": kept.problem}


def live_tasks(name: str) -> tuple[Task[Any], ...]:  # noqa: C901, PLR0915  # one short task after the other
    """For one environment, whose name they share."""

    @task(iterable=("host",), help={"host": HOST_HELP, "json": JSON_HELP})
    def status(app: App, host: list[str], json: bool = False) -> None:
        """Show what runs on each host and what is wrong with it; ends with status 1 when anything is.

        With it the newest backup of each database, and what the project takes of the disk.
        Example: inv prod.status --host deploy@app1.example.com
        """
        from deploy.release.schedule import outdated, schedule_of
        from deploy.release.stores import newest_of, wal_of

        environment = app.settings.environment(name)
        wrong = 0
        documents = []
        for spec in app.hosts(environment, host):
            with app.site(environment, spec) as site:
                facts = site.facts()
                usage, (newest, proved, away) = site.usage(), newest_of(site, facts, environment)
                state = schedule_of(site, environment)
                problems = status_problems(facts, site.layout)
                oldest_backup = timedelta(hours=environment.backup_max_age_h)
                problems += backup_problems(newest, facts.now, oldest_backup)
                if environment.offsite:
                    problems += backup_problems(away, facts.now, oldest_backup, "off-site backup")
                oldest_proof = timedelta(hours=environment.proof_max_age_h)
                problems += backup_problems(proved, facts.now, oldest_proof, "proved backup")
                kept = wal_of(site, facts.live, environment) if facts.live else ()
                problems += tuple(one.problem for one in kept if one.problem)
                problems += tuple(state_problems(state, environment)) if facts.live else ()
                rows = list(status_rows(facts, site.layout))
                wrong += len(problems)
                if json:
                    documents.append(
                        {
                            "host": spec,
                            "live": facts.live.id if facts.live else None,
                            "problems": problems,
                            "maintenance": dict(facts.maintenance) or None,
                            "disk": dataclasses.asdict(usage)
                            | {"free_bytes": facts.data_free_bytes, "size_bytes": facts.data_bytes},
                            "backups": [_backup_document(name, one, proved[name]) for name, one in newest.items()],
                            "point_in_time": [_wal_document(one) for one in kept],
                            "schedule": state_document(state),
                            "warm": {name: until.isoformat() for name, until in facts.warm.items()},
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
                    f"Docker {facts.engine_version}, {facts.distribution}"
                )
                for note in outdated(facts, environment) if state.installed else ():
                    app.console.warn(str(note))
                backed_up = (*backup_lines(newest, proved, facts.now), *wal_lines(kept), *state_lines(state))
                for line in (*warm_lines(facts), *backed_up, disk_line(facts, usage)):
                    app.console.data(line)
                for problem in problems:
                    app.console.error(f"✗ {problem}")
        if json:
            app.console.json(documents)
        if wrong:
            raise DeployError(f"{count(wrong, 'problem')} found", f"inv {name}.logs shows what services say")
        if not json:
            app.console.good("All is well.")

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
        documents = []
        for spec in app.hosts(environment, host):
            with app.site(environment, spec) as site:
                facts = site.facts()
                documents += [{"host": spec} | one for one in release_documents(facts)]
                if not json:
                    app.console.data(f"{site.layout.project} on {spec}")
                    app.console.table(headings, release_rows(facts, steps=steps))
        if json:
            app.console.json(documents)

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

        Deploys work behind it and leave it there; a restarted edge keeps it. The page is ours, or the environment's
        `maintenance_page`. Example: inv prod.maintenance on --message "Back at 18:00." --host app1
        """
        from deploy.release.maintenance import maintain

        if state not in {"on", "off"}:
            raise UsageError(f"maintenance '{state}': it is either on or off", f"inv {name}.maintenance on")
        message = message_of(message)
        environment = app.settings.environment(name)
        for spec in app.hosts(environment, host):
            with app.site(environment, spec) as site:
                maintain(environment, site, on=state == "on", message=message)
            what = "shows the maintenance page" if state == "on" else "shows the release"
            app.console.good(f"{spec} {what}.")
        if state == "on":
            app.console.say(f"Next: inv {name}.maintenance off ends it.")

    return exec_, logs, maintenance, releases, restart, shell, status
