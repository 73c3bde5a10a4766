"""Small projects on disk for the tests of rules: compose files as people write them, and the model made of them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from deploy.engine.lines import SourceLines
from deploy.engine.places import find_places
from deploy.model.checks import Problem, place_of
from deploy.model.rules import RULES, Dockerfile, EnvFile, Subject, Variable, examine
from deploy.model.stack import parse_stack
from deploy.ui.rules import problem_lines

_SIMPLE = re.compile(r"\$\{(\w+)(?::?[-?](.*?))?\}(?!\})")


def found(folder: Path, rules: str | Iterable[str], *files: str, **more: Any) -> list[str]:
    """`rule place fatal` of each problem that some rules find in a project of these compose files."""
    return [
        f"{one.rule} {place} {'error' if one.fatal else 'warning'}"
        for one, place in problems(folder, rules, *files, **more)
    ]


def problems(folder: Path, rules: str | Iterable[str], *files: str, **more: Any) -> list[tuple[Problem, str]]:
    """Each problem with its place. Of the compose files the later ones are laid over the first."""
    names = rules.split() if isinstance(rules, str) else list(rules)
    chosen = [one for one in RULES if one.id in names]
    assert {one.id for one in chosen} == {*names}
    subject, lines = project(folder, *files, **more)
    return [(one, place_of(one, lines.locate)) for one in examine(subject, chosen, {})]


def printed(folder: Path, rules: str, *files: str, **more: Any) -> str:
    """What a person sees of them."""
    subject, lines = project(folder, *files, **more)
    return "\n".join(
        problem_lines(examine(subject, [one for one in RULES if one.id in rules.split()], {}), lines.locate)
    )


def project(
    folder: Path,
    *files: str,
    env: str | None = None,
    example: str | None = None,
    dockerfile: str = "",
    others: Mapping[str, str] | None = None,
    **changes: Any,
) -> tuple[Subject, SourceLines]:
    """A project of compose files, each service of which may be built from `app` by one Dockerfile."""
    written = {f"compose{number or ''}.yaml": text for number, text in enumerate(files)}
    for name, text in {**written, "app/Dockerfile": dockerfile, **(others or {})}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    lines = SourceLines(tuple(folder / name for name in written), folder)
    env_file, env_example = _env(".env.prod", env), _env(".env.example", example)
    values = {one.name: one.value for one in (env_file.variables if env_file else ())}
    model: dict[str, Any] = {}
    for text in files:
        model = _laid_over(model, yaml.safe_load(text.replace("!reset", "").replace("!override", "")))
    document = {"services": {name: _normal(raw, folder, values) for name, raw in model["services"].items()}}

    stack = parse_stack(document)
    subject = Subject(
        "prod",
        stack,
        find_places(stack, folder),
        lines.written(),
        env_file,
        env_example,
        dockerfiles={one.name: Dockerfile("app/Dockerfile", dockerfile, "") for one in stack.built},
    )
    return replace(subject, **changes), lines


def _env(path: str, text: str | None) -> EnvFile | None:
    if text is None:
        return None
    rows = [(number, line.partition("=")) for number, line in enumerate(text.splitlines(), 1)]
    return EnvFile(path, tuple(Variable(name, value, number) for number, (name, equals, value) in rows if equals))


def _laid_over(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {key: _laid_over(one[key], value) if key in one else value for key, value in other.items()}
    if isinstance(one, list) and isinstance(other, list):
        return one + other
    return one if other is None else other


def _normal(raw: dict[str, Any], folder: Path, values: Mapping[str, str]) -> dict[str, Any]:
    """As `docker compose config` gives it, of what these tests write."""
    service = dict(raw)
    environment = raw.get("environment") or {}
    if isinstance(environment, list):
        environment = {name: value for name, _, value in (word.partition("=") for word in environment)}
    if environment:
        service["environment"] = {
            name: _put_in(f"${{{name}}}" if value is None else value, values) for name, value in environment.items()
        }
    service["ports"] = [_port(_put_in(one, values)) if isinstance(one, str) else one for one in raw.get("ports") or ()]
    service["volumes"] = [_mount(one, folder) for one in raw.get("volumes") or ()]
    for key in ("command", "entrypoint"):
        if isinstance(raw.get(key), str):
            service[key] = shlex.split(raw[key])
    if "build" in raw:
        service["build"] = {"context": str(folder / "app"), "dockerfile": "Dockerfile"}
    return service


def _put_in(value: Any, values: Mapping[str, str]) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return _SIMPLE.sub(lambda match: values.get(match[1]) or match[2] or "", str(value))


def _port(text: str) -> dict[str, Any]:
    text, _, protocol = text.partition("/")
    *rest, target = text.rsplit(":", 2)
    port: dict[str, Any] = {"target": int(target), "protocol": protocol or "tcp"}
    if rest:
        port["published"] = rest.pop()
    return port | ({"host_ip": rest[0].strip("[]")} if rest else {})


def _mount(text: str, folder: Path) -> dict[str, Any]:
    source, target, *mode = text.split(":")
    bind = source.startswith((".", "/"))
    return {
        "type": "bind" if bind else "volume",
        "source": str(Path(folder, source)) if bind else source,
        "target": target,
    } | ({"read_only": True} if mode == ["ro"] else {})
