"""A schedule as it stands on a host, beside what is wanted of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

from deploy.model.envfile import quoted
from deploy.model.errors import DeployError, UsageError
from deploy.model.facts import sections_of
from deploy.model.fingerprint import digest
from deploy.model.offsite import local_folder
from deploy.model.schedule import DrillEvery, Run, Schedule, Times, parse_runs, parse_times, run_problems
from deploy.model.settings import Environment

HERE = "here"
"""For --host: the machine that this runs on, without SSH. What the keeper works on."""
LATE = timedelta(minutes=15)
"""A run that has not begun by then was missed."""
SECRETS = "offsite.env"
"""The file beside the program with the variables for what is off-site."""
KEYS = "@keys"
"""Stands for the folder of the user's SSH keys, which a repository on another machine may be reached with."""


class Timer(StrEnum):
    """What starts the runs."""

    SYSTEMD = "systemd"
    CRON = "cron"


@dataclass(frozen=True)
class Installed:
    """What the host's own note says (`schedule/schedule.json`)."""

    environment: str
    at: str
    drill: DrillEvery
    limit_h: float
    timer: Timer
    keeper: str
    """The image."""
    definition: str
    """Digest of all that was wanted when it was installed: another one has to be installed again."""
    installed_at: datetime
    by: str

    @property
    def times(self) -> Times:
        return parse_times(self.at, "the schedule on the host")

    @property
    def schedule(self) -> Schedule:
        """What was asked for."""
        return Schedule(self.times, self.drill, self.limit_h)

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self) | {"installed_at": self.installed_at.isoformat()}) + "\n"

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Installed | None:
        """None for what is not ours to read: it has to be installed again."""
        try:
            at = datetime.fromisoformat(raw["installed_at"])
            known = {one.name: raw[one.name] for one in dataclasses.fields(cls)}
            return cls(**known | {"installed_at": at, "timer": Timer(raw["timer"]), "drill": DrillEvery(raw["drill"])})
        except (KeyError, TypeError, ValueError):
            return None


@dataclass(frozen=True)
class State:
    """The schedule of a host, and what came of it."""

    now: datetime
    """In the host's time zone."""
    user: str
    installed: Installed | None
    runs: tuple[Run, ...]
    going: bool
    """Whether a run is at work."""
    started: bool
    """Whether the timer, or our line in the crontab, is there."""
    keeper_there: bool
    systemd: bool
    """Whether systemd runs, and may be told something."""
    cron: bool
    """Whether users have crontabs there."""
    cron_runs: bool
    curl: bool
    socket: str
    """Where the engine listens."""

    @property
    def next_at(self) -> datetime | None:
        return self.installed.times.after(self.now) if self.installed else None


def parse_state(text: str, host: str) -> State:
    """From what `schedule-look.sh` printed. Raises DeployError when the text is not whole."""
    sections = sections_of(text)
    if "end" not in sections:
        raise DeployError(f"{host}: its schedule could not be read", "run the command again", details=text[-2000:])
    about = dict(line.partition("=")[::2] for line in sections["host"].splitlines())
    sign = -1 if about["timezone"].startswith("-") else 1
    hours, minutes = int(about["timezone"][1:3]), int(about["timezone"][3:5])
    zone = timezone(sign * timedelta(hours=hours, minutes=minutes))
    try:
        installed = Installed.from_json(json.loads(sections.get("schedule") or "{}"))
    except ValueError:
        installed = None
    return State(
        now=datetime.fromtimestamp(int(about["now"]), zone),
        user=about["user"],
        installed=installed,
        runs=parse_runs(sections.get("runs", "")),
        going="going" in about,
        started="started" in about,
        keeper_there="keeper" in about,
        systemd="systemd" in about,
        cron="cron" in about,
        cron_runs="cron_runs" in about,
        curl="curl" in about,
        socket=about.get("socket", ""),
    )


def keeper_settings(environment: Environment) -> dict[str, Any]:
    """What stands under `deploy:` for the keeper: of an environment's settings those that its runs heed."""
    heeded: dict[str, Any] = {
        "project": environment.project,
        "path": str(environment.path),
        "hosts": [HERE],
        "backup_keep": dataclasses.asdict(environment.backup_keep),
    }
    if environment.encryption.recipients:
        heeded["encryption"] = {"recipients": list(environment.encryption.recipients)}
    if environment.offsite:
        offsite = dataclasses.asdict(environment.offsite)
        heeded["offsite"] = offsite | {"env_file": SECRETS}
    return {"project": environment.project, "environments": {environment.name: heeded}}


def definition_of(environment: Environment, schedule: Schedule, keeper: str) -> str:
    """The digest of all that is wanted of a host's schedule."""
    notify = dataclasses.asdict(environment.notify)
    wanted = [schedule.at.cron, schedule.drill, schedule.limit_h, notify, keeper_settings(environment), keeper]
    return digest(wanted)


def files_of(
    environment: Environment, made: Installed, root: str, socket: str, secrets: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What stands beside the program that runs, by name. All of it is for the deploying user's eyes only.

    `secrets` are the variables for what is off-site.
    """
    values = (root, made.keeper, environment.project, socket.removeprefix("unix://"), round(made.limit_h * 3600))
    recovery = "yes" if environment.notify.recovery else "no"
    settings = {"deploy": keeper_settings(environment), "environment": environment.name, "drill": made.drill}
    files = {
        "values": "".join(f"{one}\n" for one in (*values, recovery)),
        "settings.json": json.dumps(settings, indent=1) + "\n",
        "schedule.json": made.to_json(),
    }
    if environment.notify.command:
        files["notify"] = f"{environment.notify.command}\n"
    if environment.notify.webhook:
        files["webhook"] = f'url = "{environment.notify.webhook}"\n'
    if environment.offsite:
        files[SECRETS] = "".join(f"{name}={quoted(value)}\n" for name, value in (secrets or {}).items())
        place = local_folder(environment.offsite.repository)
        files["mounts"] = f"{place or KEYS}\n"
    return files


def state_problems(state: State, environment: Environment) -> Iterator[str]:
    """What is wrong with a host's schedule, in sentences; nothing where none is wanted and none is there."""
    again = f"inv db.schedule --env {environment.name}"
    installed = state.installed
    if installed is None:
        if environment.schedule:
            yield f"no schedule is installed, and invoke.yaml says one: {again} installs it"
        return
    if not state.started:
        yield f"the schedule is no longer started by {installed.timer}: {again} installs it again"
    elif installed.timer == Timer.CRON and not state.cron_runs:
        yield "cron does not run on the host: no scheduled run begins"
    if not state.keeper_there:
        yield f"the keeper's image {installed.keeper} is gone: {again} brings it again"
    yield from run_problems(state.runs, going=state.going)
    due = installed.times.before(state.now - LATE)
    last = state.runs[-1] if state.runs else None
    seen = (last.ended_at or last.began_at) if last else installed.installed_at
    if not state.going and max(seen, installed.installed_at) < due:
        yield f"the run that was due at {due:%Y-%m-%d %H:%M} has not begun"


def state_lines(state: State) -> Iterator[str]:
    """The schedule in words: when, what became of the last run, when the next is."""
    if state.installed is None or state.next_at is None:
        return
    installed, last = state.installed, state.runs[-1] if state.runs else None
    about = f"scheduled: '{installed.at}' by {installed.timer}, drill {installed.drill}"
    yield f"{about}; next run {state.next_at:%Y-%m-%d %H:%M %z}"
    if state.going:
        yield "a run is going on"
    elif last and last.ended_at:
        took = (last.ended_at - last.began_at).total_seconds()
        outcome = "was good" if last.ok else "failed"
        yield f"last run: {last.began_at:%Y-%m-%d %H:%M}, {outcome} after {took:.0f} s: {last.message}"


def state_document(state: State) -> dict[str, Any] | None:
    """The same for a script; None where no schedule is installed."""
    if state.installed is None or state.next_at is None:
        return None
    installed = state.installed
    return {
        "at": installed.at,
        "drill": installed.drill,
        "timer": installed.timer,
        "next_at": state.next_at.isoformat(),
        "going": state.going,
        "keeper": installed.keeper,
        "installed_at": installed.installed_at.isoformat(),
        "by": installed.by,
        "runs": [_run_document(run) for run in state.runs],
    }


def _run_document(run: Run) -> dict[str, Any]:
    ended = {"began_at": run.began_at.isoformat(), "ended_at": run.ended_at.isoformat() if run.ended_at else None}
    return dataclasses.asdict(run) | ended


def timer_for(state: State, host: str) -> Timer:
    """What is to start the runs there. Raises UsageError when nothing can."""
    if state.systemd:
        return Timer.SYSTEMD
    if state.cron:
        return Timer.CRON
    raise UsageError(
        f"{host} has nothing that starts a schedule: no systemd that {state.user} may tell, and no cron",
        "install one there (apt-get install cron), or let another machine do it (docs/backups.md)",
    )
