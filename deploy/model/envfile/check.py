"""What is wrong with an env file, beside its example and the compose files that read it. Never a value."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from deploy.model.envfile.example import documented, generators
from deploy.model.envfile.parse import Assignment, evaluate, parse
from deploy.model.envfile.uses import OURS, Uses
from deploy.model.findings.env_files import is_secret_name, placeholders

_WORDS = "\0"


@dataclass(frozen=True)
class Finding:
    """Something about one variable, or about the file."""

    kind: str
    name: str
    """Empty for the file."""
    line: int
    """0 for what has none."""
    message: str
    remedy: str
    fatal: bool = True


@dataclass(frozen=True)
class Example:
    """What an env file is made from."""

    name: str
    text: str


def check_env(
    text: str,
    source: str,
    example: Example | None,
    uses: Uses,
    environ: Mapping[str, str],
    required: tuple[str, ...] = (),
    words: str = "",
) -> tuple[Finding, ...]:
    """Everything, in the order of the file's lines. Raises UsageError for a file that compose would not read.

    `environ` is what compose has besides; `required` are names that the compose files do not do without; `words` follow
    the names of variables in commands that are proposed.
    """
    assignments = parse(text, source)
    found = evaluate(assignments, environ, source)
    lines = {one.name: one.line for one in assignments}
    findings = [
        *_duplicates(assignments),
        *(
            Finding(
                "unset",
                one.name,
                one.line,
                f"{one.name} refers to {one.variable}, which nothing sets: it counts as blank",
                "put the value into single quotes if its $ is meant as it stands",
            )
            for one in found.unset
        ),
        *(
            Finding(
                "required",
                name,
                lines.get(name, 0),
                f"{name} has no value, which the compose files require",
                _set(name),
            )
            for name in required
        ),
    ]
    told = {one.name for one in findings if one.kind == "required"}
    known = documented(example.text, example.name) if example else {}
    if example:
        made = generators(example.text, example.name)
        given = {**found.values, **{name: environ[name] for name in known if name in environ}}
        findings += (one for one in _against(example, known, made, given, lines) if one.name not in told)
    findings += _made_up(found.values, known, lines)
    findings += _unread(found.values, lines, known, uses, example)
    said = (replace(one, remedy=one.remedy.replace(_WORDS, words)) for one in findings)
    return tuple(sorted(said, key=lambda one: (one.line, one.name)))


def _duplicates(assignments: tuple[Assignment, ...]) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for one in assignments:
        if one.name in seen:
            yield Finding(
                "duplicate",
                one.name,
                one.line,
                f"{one.name} stands in line {seen[one.name]} too; this one counts",
                "remove one of them",
            )
        seen[one.name] = one.line


def _against(
    example: Example,
    known: Mapping[str, str | None],
    made: Mapping[str, str],
    given: Mapping[str, str],
    lines: Mapping[str, int],
) -> Iterator[Finding]:
    """What the example has and the file has not."""
    for name, value in known.items():
        if value is None or name in OURS:
            continue
        needed = name in made or bool(value) or is_secret_name(name)
        if name not in given:
            yield Finding("missing", name, 0, f"{name} is missing, which {example.name} has", _set(name), fatal=needed)
        elif not given[name] and needed:
            fatal = name in made or is_secret_name(name)
            message = f"{name} is blank, which {example.name} has a value for"
            yield Finding("blank", name, lines.get(name, 0), message, _set(name), fatal=fatal)


def _made_up(values: Mapping[str, str], known: Mapping[str, str | None], lines: Mapping[str, int]) -> Iterator[Finding]:
    made_up = set(placeholders(values))
    for name, value in values.items():
        same = bool(value) and is_secret_name(name) and known.get(name) == value
        if same or name in made_up or "<random:" in value:
            yield Finding(
                "example", name, lines[name], f"{name} has the value of an example", f"{_set(name)} puts in your own"
            )


def _unread(
    values: Mapping[str, str],
    lines: Mapping[str, int],
    known: Mapping[str, str | None],
    uses: Uses,
    example: Example | None,
) -> Iterator[Finding]:
    """What the example does not know, or nothing reads."""
    candidates = sorted({*known, *uses.names} - values.keys())
    for name in values:
        read = uses.reads(name) or name in OURS
        if example and name not in known and name not in OURS:
            close = difflib.get_close_matches(name, candidates, n=1)
            if read:
                message = f"{name} is not in {example.name}"
                yield Finding("unknown", name, lines[name], message, f"add it to {example.name}", fatal=False)
                continue
            yield Finding(
                "unknown",
                name,
                lines[name],
                f"{name} is unknown to {example.name}, and no compose file reads it",
                f"did you mean '{close[0]}'?" if close else f"inv env.unset {name}{_WORDS} removes it",
            )
        elif not read:
            yield Finding(
                "unused",
                name,
                lines[name],
                f"{name}: no compose file reads it",
                f"inv env.unset {name}{_WORDS} removes it",
                fatal=False,
            )


def _set(name: str) -> str:
    return f"inv env.set {name}{_WORDS}"
