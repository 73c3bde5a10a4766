"""The schedule that a host keeps by itself: installed, looked at, removed."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime

from deploy.engine.keeper import Keeper, keeper_name, keeper_of
from deploy.model.checks import Problem, check_schedule
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError, UsageError
from deploy.model.facts import Facts
from deploy.model.schedule import (
    Schedule,
    begin_mark,
    service_unit,
    timer_unit,
    unit_name,
    with_block,
    without_block,
)
from deploy.model.scheduled import (
    Installed,
    State,
    Timer,
    definition_of,
    files_of,
    parse_state,
    timer_for,
)
from deploy.model.settings import Environment
from deploy.push.send import push_images
from deploy.release.prepare import whoami
from deploy.release.push import receiver
from deploy.release.site import Site
from deploy.shell import LocalShell
from deploy.shell.packaged import script_text
from deploy.ui import Step
from deploy.ui.units import size

GOES_ON = 75
PROGRAM = "run"


def schedule_of(site: Site, environment: Environment) -> State:
    """What there is of a schedule on a host; one round trip."""
    project = environment.project
    words = (str(site.layout.root), unit_name(project), begin_mark(project))
    return parse_state(site.shell.run(site.bare("schedule-look.sh", *words)).stdout, site.shell.name)


def outdated(facts: Facts, environment: Environment) -> Iterator[Problem]:
    """Says when a host keeps another schedule than invoke.yaml and this version of Windlass make, or none."""
    if environment.schedule:
        keeper = keeper_of(environment.project, f"linux/{facts.architecture}")
        definition = definition_of(environment, environment.schedule, keeper.reference)
        yield from check_schedule(facts, environment, definition)


def push_keeper(site: Site, facts: Facts, local: LocalShell, keeper: Keeper, step: Step) -> None:
    """Bring the keeper to the host, where it is not there already."""
    earlier = [one for one in facts.images if one.startswith(f"{keeper_name(site.layout.project)}:")]
    if keeper.reference in earlier:
        step.result = "the host has it"
        return
    to = receiver(site, facts)
    sent = push_images(local, to, [keeper.reference], step, earlier={keeper.reference: earlier})
    step.result = f"{size(sent.sent_bytes)} sent"


def install(
    site: Site,
    environment: Environment,
    schedule: Schedule,
    keeper: Keeper,
    state: State,
    secrets: Mapping[str, str],
) -> None:
    """Let the host keep a schedule from now on, in place of the one before. The keeper is there already.

    `secrets` are the variables for what is off-site: the host needs them at night, and has them for its user alone.
    Raises UsageError when nothing there can start it.
    """
    timer = timer_for(state, site.shell.name)
    if not state.socket.startswith("unix://"):
        raise UsageError(
            f"{site.shell.name}: its engine listens at {state.socket}", "a schedule needs one with a socket"
        )
    made = Installed(
        environment=environment.name,
        at=schedule.at.text,
        drill=schedule.drill,
        limit_h=schedule.limit_h,
        timer=timer,
        keeper=keeper.reference,
        definition=definition_of(environment, schedule, keeper.reference),
        installed_at=datetime.now(UTC),
        by=whoami(),
    )
    root, unit = site.layout.root, unit_name(environment.project)
    program = str(root / "schedule" / PROGRAM)
    files = files_of(environment, made, str(root), state.socket, secrets)
    files[PROGRAM] = f"#!/bin/sh\n{script_text('release', 'schedule-run.sh')}"
    if timer == Timer.SYSTEMD:
        files |= {
            f"{unit}.service": service_unit(environment.project, state.user, program),
            f"{unit}.timer": timer_unit(environment.project, schedule.at),
        }
    site.shell.run(site.bare("root.sh", str(root)))
    words = (str(root), unit, keeper.reference, keeper_name(environment.project))
    site.run("schedule-install.sh", *words, stdin=_archive(files))
    if timer == Timer.CRON:
        _edit_crontab(site, lambda crontab: with_block(crontab, environment.project, schedule.at, program))
    elif state.cron:
        _edit_crontab(site, lambda crontab: without_block(crontab, environment.project))


def remove(site: Site, environment: Environment, state: State) -> None:
    """Let the host keep no schedule any more. Raises DeployError while a run is going on."""
    if state.cron:
        _edit_crontab(site, lambda crontab: without_block(crontab, environment.project))
    words = (str(site.layout.root), unit_name(environment.project), keeper_name(environment.project))
    try:
        site.run("schedule-remove.sh", *words)
    except CommandError as error:
        if error.exit_code != GOES_ON:
            raise
        raise DeployError(
            f"{site.shell.name}: a run is going on; no other will begin",
            "remove the rest when it has ended: again --off",
        ) from error


def run_now(site: Site, step: Step) -> None:
    """One run, as the timer would begin it. Raises CommandError with what went wrong."""
    site.shell.run(Command(str(site.layout.root / "schedule" / PROGRAM)), on_line=step.show)


def _edit_crontab(site: Site, edit: Callable[[str], str]) -> None:
    """Change what the deploying user's crontab says; it is removed when nothing is left in it."""
    before = site.shell.run(Command("crontab", "-l"), check=False).stdout  # status 1 for none
    after = edit(before)
    if after == before:
        return
    if after:
        site.shell.run(Command("crontab", "-"), stdin=after.encode())
    else:
        site.shell.run(Command("crontab", "-r"))


def _archive(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            content = text.encode()
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o700 if name == PROGRAM else 0o600
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()
