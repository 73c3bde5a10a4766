"""Our lines in a crontab that is somebody else's: between two marks, and nothing outside them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from deploy.model.schedule.times import Times


def with_block(crontab: str, project: str, times: Times, program: str) -> str:
    """A crontab with our entry for a project, in place of an earlier one."""
    # an unquoted % ends a crontab's command, and a backslash before it is taken off whatever quotes are around
    command = shlex.quote(program).replace("%", r"\%")
    rest = without_block(crontab, project)
    rest += "" if not rest or rest.endswith("\n") else "\n"
    return f"{rest}{begin_mark(project)}\n{times.cron} {command}\n{_end(project)}\n"


def without_block(crontab: str, project: str) -> str:
    """A crontab without our entry for a project; every other line is as it was."""
    return "".join(_others(crontab, project))


def has_block(crontab: str, project: str) -> bool:
    return without_block(crontab, project) != crontab


def _others(crontab: str, project: str) -> Iterator[str]:
    lines = crontab.splitlines(keepends=True)
    bare = [line.strip() for line in lines]
    while begin_mark(project) in bare:
        first = bare.index(begin_mark(project))
        # a mark without its end: nobody can tell how far our lines went, and they are at most one
        last = bare.index(_end(project), first) if _end(project) in bare[first:] else min(first + 1, len(bare) - 1)
        del lines[first : last + 1], bare[first : last + 1]
    return iter(lines)


def begin_mark(project: str) -> str:
    """The line that our entry begins with."""
    return f"# begin of windlass for {project}"


def _end(project: str) -> str:
    return f"# end of windlass for {project}"
