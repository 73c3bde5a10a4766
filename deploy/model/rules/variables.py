"""Variables that compose files ask for, against those that env files set."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.model.checks.problem import Problem
from deploy.model.errors import nearest
from deploy.model.rules.rule import Severity, rule
from deploy.model.rules.subject import EnvFile, Subject, Tagged, references_in

UNSET = re.compile(r'"(\w+)" variable is not set')
"""Compose's warning, which may name a part of a password that has a dollar in it."""
_OF_TOOLS = re.compile(r"(COMPOSE|DOCKER|BUILDKIT|BUILDX|DEPLOY|INVOKE|WINDLASS)_.*")
"""Variables that programs read, whatever the compose files ask for."""


@rule(
    "undefined-variable",
    Severity.WARNING,
    "A variable that nothing sets is taken to be blank",
    why="""
    Compose puts an empty text in its place and goes on. Often it is a dollar in a password: `PASSWORD=a$bc` in an env
    file is `a` and the variable `bc`.
    """,
    fix="""
    Set it in the env file, or give it a default: `${NAME:-}`; `${NAME:?}` makes compose refuse. A dollar that is meant
    is `$$` in a compose file, and stands between single quotes in an env file.
    """,
    in_plan=True,
)
def undefined_variable(subject: Subject) -> Iterator[Problem]:
    names = dict.fromkeys(name for warning in subject.warnings for name in UNSET.findall(warning))
    references = [one for file in subject.files for one in file.references]
    for name in names:
        by = next((one for one in references if one.name == name and one.default is None), None)
        if by:
            hint = _in_example(name, subject) or "a dollar that is meant is written twice"
            yield Problem(
                f"{name} is not set: compose takes it to be blank",
                f"set it{_where(subject.env)}, or write ${{{name}:-}}; {hint}",
                place=f"{by.file}:{by.line}",
            )
        elif subject.env and (inside := _asks(name, subject.env)):
            yield Problem(
                # without the name that compose made of it: it is a part of the value
                f"the value of {inside} has a dollar: compose takes what follows to be a variable, and a blank one",
                f"put the value of {inside} between single quotes",
                place=subject.env.place(inside),
            )


@rule(
    "missing-from-env",
    Severity.WARNING,
    "A variable that the example sets, and that is blank here",
    why="The example was written for everybody who sets up an environment: what it sets is needed to run.",
    fix="Copy it from the example, with this environment's own value.",
)
def missing_from_env(subject: Subject) -> Iterator[Problem]:
    if not subject.env or not subject.example:
        return
    references = [one for file in subject.files for one in file.references]
    for variable in subject.example.variables:
        asked = [one for one in references if one.name == variable.name]
        blank = next((one for one in asked if one.default == ""), None)
        if not variable.value or _is_set(variable.name, subject) or not blank:
            continue
        yield Problem(
            f"{variable.name} is in {subject.example.path}, and not in {subject.env.path}: {blank.file}:{blank.line} "
            "takes it to be blank",
            f"set it in {subject.env.path}",
            place=subject.example.place(variable.name),
        )


@rule(
    "unused-variable",
    Severity.WARNING,
    "A variable of the env file that nothing asks for",
    why="It is misspelt, or left over: whoever changes it waits in vain for something to happen.",
    fix="Take it out, or spell it as the compose files do. What the example has, too, is not told of.",
)
def unused_variable(subject: Subject) -> Iterator[Problem]:
    if not subject.env or _is_given_whole(subject.env, subject):
        return
    used = _used(subject)
    unset = [name for name in used if not _is_set(name, subject)]
    known = {one.name for one in subject.example.variables} if subject.example else set()
    for name in dict.fromkeys(one.name for one in subject.env.variables):
        if name not in used | known and not _OF_TOOLS.fullmatch(name):
            yield Problem(
                f"{name} is used by no compose file of {subject.environment}",
                _meant(name, unset) or "take it out",
                place=subject.env.place(name),
            )


@rule(
    "unknown-to-example",
    Severity.WARNING,
    "A variable that the example does not have",
    why="Whoever sets up another environment, or this one again, begins with the example and does not learn of it.",
    fix="Add it to the example, without its value when that is a secret.",
)
def unknown_to_example(subject: Subject) -> Iterator[Problem]:
    if not subject.env or not subject.example:
        return
    used, known = _used(subject), [one.name for one in subject.example.variables]
    for name in dict.fromkeys(one.name for one in subject.env.variables):
        if name in used and name not in known:
            yield Problem(
                f"{name} is not in {subject.example.path}",
                _meant(name, [one for one in known if not subject.env.get(one)]) or f"add it to {subject.example.path}",
                place=subject.env.place(name),
            )


def _is_set(name: str, subject: Subject) -> bool:
    return name in subject.set_elsewhere or bool(subject.env and subject.env.get(name))


def _where(env: EnvFile | None) -> str:
    return f" in {env.path}" if env else ""


def _in_example(name: str, subject: Subject) -> str:
    return f"{subject.example.place(name)} has it" if subject.example and subject.example.get(name) else ""


def _asks(name: str, env: EnvFile) -> str:
    """The variable whose own value asks for another; empty when none does."""
    asking = (one.name for one in env.variables if any(asked == name for asked, *_ in references_in(one.value)))
    return next(asking, "")


def _meant(name: str, others: list[str]) -> str:
    """`did you mean 'X'?`, where one of the others is like it."""
    told = nearest(name, others)
    return told if "did you mean" in told else ""


def _used(subject: Subject) -> set[str]:
    """Names that compose files ask for in any way, and that other variables' values ask for."""
    found = {one.name for file in subject.files for one in file.references}
    for variable in subject.env.variables if subject.env else ():
        found |= {name for name, *_ in references_in(variable.value)}
    for file in subject.files:
        found |= set(_handed_on(file.document))
    return found


def _handed_on(document: Mapping[str, Any]) -> Iterator[str]:
    """Names without a value, which compose takes from its own environment."""
    services = _mapping(document.get("services"))
    for definition in map(_mapping, (*services.values(), *document.values())):
        yield from _bare(definition.get("environment"))
        yield from _bare(_mapping(definition.get("build")).get("args"))
    for section in ("secrets", "configs"):
        for raw in map(_mapping, _mapping(document.get(section)).values()):
            if isinstance(name := raw.get("environment"), str):
                yield name


def _bare(listed: Any) -> Iterator[str]:
    listed = _untagged(listed)
    if isinstance(listed, Mapping):
        yield from (str(name) for name, value in listed.items() if value is None)
    elif isinstance(listed, list):
        yield from (str(entry) for entry in listed if "=" not in str(entry))


def _is_given_whole(env: EnvFile, subject: Subject) -> bool:
    """Whether a service gets the env file as it is (`env_file`), so that each of its variables is used."""
    folders = {posixpath.dirname(file.path) for file in subject.files} | {""}
    for file in subject.files:
        for definition in map(_mapping, _mapping(file.document.get("services")).values()):
            listed = _untagged(definition.get("env_file"))
            entries = listed if isinstance(listed, list) else [listed] if listed else []
            for entry in entries:
                path = str(_mapping(entry).get("path") or entry)
                if "$" in path or any(posixpath.normpath(posixpath.join(one, path)) == env.path for one in folders):
                    return True
    return False


def _mapping(value: Any) -> Mapping[str, Any]:
    value = _untagged(value)
    return value if isinstance(value, Mapping) else {}


def _untagged(value: Any) -> Any:
    return value.value if isinstance(value, Tagged) else value
