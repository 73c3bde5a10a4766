"""The journal of a host's scheduled runs (`backups/runs.jsonl`): one line when a run begins, one when it ends."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Step:
    """One thing that a run did."""

    what: str
    ok: bool
    duration_s: float
    message: str = ""


@dataclass(frozen=True)
class Run:
    """One run, as far as the journal tells."""

    id: str
    began_at: datetime
    ended_at: datetime | None = None
    ok: bool = False
    message: str = ""
    steps: tuple[Step, ...] = ()
    untold: str = ""
    """Why somebody who was to hear of it has not."""


def parse_runs(text: str) -> tuple[Run, ...]:
    """Runs in the order in which they began. Lines that cannot be read (cut, or of a later version) are left out."""
    runs: dict[str, Run] = {}
    for line in text.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            raw = json.loads(line)
            name, at = str(raw["run"]), datetime.fromisoformat(raw["at"])
            if raw["event"] == "began":
                runs[name] = Run(name, at)
            elif raw["event"] == "ended":
                began = runs.get(name, Run(name, at))
                steps = tuple(_steps(raw.get("steps") or ()))
                runs[name] = replace(began, ended_at=at, ok=raw["ok"] is True, message=str(raw["message"]), steps=steps)
            elif raw["event"] == "told" and raw["ok"] is not True and name in runs:
                runs[name] = replace(runs[name], untold=str(raw["message"]))
    return tuple(runs.values())


def _steps(raw: Iterable[dict[str, Any]]) -> Iterator[Step]:
    for one in raw:
        yield Step(str(one["what"]), one["ok"] is True, float(one["duration_s"]), str(one.get("message", "")))


def run_problems(runs: Iterable[Run], *, going: bool) -> tuple[str, ...]:
    """What is wrong with the last run, in sentences. `going` says that one is at work now: the last may be that."""
    every = tuple(runs)
    if every and every[-1].ended_at is None and not going:
        return (f"the scheduled run of {_at(every[-1].began_at)} never ended",)
    last = next((one for one in reversed(every) if one.ended_at), None)
    if last is None:
        return ()
    failed = () if last.ok else (f"the scheduled run of {_at(last.began_at)} failed: {last.message}",)
    untold = f"what was to be said of the scheduled run of {_at(last.began_at)} did not arrive: {last.untold}"
    return (*failed, *((untold,) if last.untold else ()))


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
