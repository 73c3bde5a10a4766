"""Commands of services that declare none, and kinds that only a Dockerfile tells, found from a project's own files."""

from __future__ import annotations

import dataclasses
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.model.command import Command
from deploy.model.findings.frameworks import FRAMEWORKS, Framework, Language, Running
from deploy.model.findings.source import Source
from deploy.model.kinds import DATA_IMAGES, Kind, image_name
from deploy.model.options import COMMANDS
from deploy.model.stack import Service, Stack

SCHEMA = ("migrate", "pending", "list_pending")
"""Commands that belong together: whoever declares one of them is not given another."""

_LANGUAGES = {
    "python": Language.PYTHON,
    "pypy": Language.PYTHON,
    "uv": Language.PYTHON,
    "uvicorn": Language.PYTHON,
    "node": Language.NODE,
    "php": Language.PHP,
    "frankenphp": Language.PHP,
    "ruby": Language.RUBY,
    "elixir": Language.ELIXIR,
}
_OTHER = ("nginx", "httpd", "caddy", "haproxy", "traefik", "golang", "rust", "openjdk", "eclipse-temurin", "scratch")
_PASSES_ON = ("tini", "dumb-init", "catatonit", "gosu", "su-exec", "env", "docker-php-entrypoint")
_RUNNERS = {"uv", "poetry", "pipenv", "pdm"}
_PYTHON = re.compile(r"(?:^|[\s'\"])((?:/\S+/)?python3?(?:\.\d+)?)(?=\s)")
_MIGRATES = re.compile(
    r"manage\.py migrate|alembic \S*\s*upgrade|flask \S*\s*db upgrade|prisma migrate deploy|migration:run|"
    r"db:(?:prepare|migrate)|artisan migrate|migrate:latest|migrations:migrate|drizzle-kit migrate|migration:up|"
    r"(?:^|/|\s)migrate(?:\s|$)"
)


@dataclass(frozen=True)
class Hit:
    """A framework that a service was found to use, with its commands as they run in its container."""

    framework: Framework
    marker: str
    commands: Mapping[str, Command]
    hindrance: str = ""
    """Why a command cannot be run in a container of its own, in words."""

    @property
    def reason(self) -> str:
        return f"{self.framework.name}: {self.marker} in what it is built from"


def with_found(stack: Stack, sources: Mapping[str, Source]) -> Stack:
    """The stack, each service with what it does not say itself and its source does.

    `sources` are those of services that are built here or have the project's code mounted. Nothing is found for a
    service one of whose siblings, made from the same source, says something about it: `migrate: false` says that
    nothing runs.
    """
    services = {name: _with_kind(service, sources.get(name)) for name, service in stack.services.items()}
    hits = {name: hit for name, source in sources.items() if (hit := find(services[name], source))}
    for group in _groups(hits, sources):
        chosen = min(group, key=lambda name: (_rank(services[name]), list(services).index(name)))
        taken = _spoken_for(services, sources, hits, chosen)
        found = {name: command for name, command in hits[chosen].commands.items() if name not in taken}
        if hits[chosen].hindrance or _migrated_by(services, sources, chosen):
            found = {name: command for name, command in found.items() if name not in SCHEMA}
        services[chosen] = _given(services[chosen], found, hits[chosen].reason)
    return dataclasses.replace(stack, services=_with_a_shell(services, sources))


def found_migrations(stack: Stack) -> tuple[str, ...]:
    """How services migrate that do not declare it, each with the reason and what to write against it."""
    return tuple(
        f"{one.name} migrates by {one.options.migrate} ({one.options.found['migrate']}); "
        f"x-deploy: {{migrate: false}} beside it says that it does not"
        for one in stack.with_command("migrate")
        if "migrate" in one.options.found
    )


def find(service: Service, source: Source) -> Hit | None:
    """The first framework that a service's container has, with its commands; None when none is known."""
    if service.kind == Kind.DATA:
        return None
    base = source.recipe.base or service.image
    languages = _languages(base)
    running = _running(service, source)
    for framework in FRAMEWORKS:
        marker = framework.marker(source) if framework.language in languages else ""
        folder = _folder(framework, marker, source) if marker else None
        if folder is None:
            continue
        told = framework.commands(source, marker, running)
        if told:
            commands = {
                name: _command(text, framework, folder, _working_folder(service, source), running)
                for name, text in told.items()
            }
            return Hit(framework, marker, commands, _hindrance(service, source))
    return None


def migrating_job(stack: Stack, service: str, sources: Mapping[str, Source]) -> str:
    """The job of a stack that migrates what a service is made of; empty when there is none."""
    return _migrated_by(stack.services, sources, service)


def migrates_itself(service: Service, source: Source) -> str:
    """Where a service's own start migrates already, in words; empty where nothing is seen of it."""
    words = _words(service, source)
    if _MIGRATES.search(" ".join(words)):
        return "its command"
    for word in words:
        text = next((source.text(file) for file in source.named(posixpath.basename(word)) if source.text(file)), "")
        if _MIGRATES.search(text):
            return posixpath.basename(word)
    return ""


def _with_kind(service: Service, source: Source | None) -> Service:
    """A database that is built here from a database's image is one as well."""
    base = image_name(source.recipe.base) if source else ""
    if service.options.kind is None and service.build and base in DATA_IMAGES and service.kind != Kind.DATA:
        return dataclasses.replace(service, kind=Kind.DATA, kind_reason=f"built on image {base}, which keeps state")
    return service


def _with_a_shell(services: Mapping[str, Service], sources: Mapping[str, Source]) -> dict[str, Service]:
    """Where no service has a shell of its own, the one that speaks for the stack has the operating system's."""
    if any(one.options.shell or "shell" in one.options.off for one in services.values()):
        return dict(services)
    built = [name for name, one in services.items() if name in sources and one.build and one.kind != Kind.DATA]
    able = [name for name in built if not re.search("distroless|^scratch$", sources[name].recipe.base)]
    if not able:
        return dict(services)
    chosen = min(able, key=lambda name: (_rank(services[name]), able.index(name)))
    reason = "no framework's own shell is known: the operating system's"
    return {**services, chosen: _given(services[chosen], {"shell": Command("sh")}, reason)}


def _groups(hits: Mapping[str, Hit], sources: Mapping[str, Source]) -> Iterator[list[str]]:
    """Services that run the same code of the same framework."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, hit in hits.items():
        groups.setdefault((posixpath.join(sources[name].folder, hit.marker), hit.framework.name), []).append(name)
    yield from groups.values()


def _rank(service: Service) -> int:
    """Which of several services speaks for all of them: the one that is asked, not one that works behind it."""
    if service.kind == Kind.WEB:
        return 0 if service.ports or service.has_healthcheck else 1
    return 2 if service.kind == Kind.WORKER else 3


def _spoken_for(
    services: Mapping[str, Service], sources: Mapping[str, Source], hits: Mapping[str, Hit], chosen: str
) -> frozenset[str]:
    """Commands that a service made from the same folder declares, or switches off; other programs of it aside."""
    siblings = [
        services[name]
        for name, source in sources.items()
        if source.folder == sources[chosen].folder and (name not in hits or hits[name].marker == hits[chosen].marker)
    ]
    said = {name for one in siblings for name in COMMANDS if one.options.command(name) or name in one.options.off}
    return frozenset(said | set(SCHEMA) if said & set(SCHEMA) else said)


def _migrated_by(services: Mapping[str, Service], sources: Mapping[str, Source], chosen: str) -> str:
    for name, service in services.items():
        source = sources.get(name)
        if name == chosen or service.kind != Kind.JOB:
            continue
        same = source is not None and source.folder == sources[chosen].folder
        text = " ".join(_words(service, source)) if source else " ".join(_own_words(service))
        if (same or not source) and _MIGRATES.search(text):
            return name
    return ""


def _given(service: Service, found: Mapping[str, Command], reason: str) -> Service:
    if not found:
        return service
    reasons = {**service.options.found, **dict.fromkeys(found, reason)}
    changes: dict[str, Any] = {**found, "found": reasons}
    return dataclasses.replace(service, options=dataclasses.replace(service.options, **changes))


def _languages(base: str) -> frozenset[Language]:
    """What an image runs: everything, where it cannot be told from its base."""
    name = image_name(base)
    if "distroless" in base and not name.startswith("python"):
        return frozenset()  # neither npm nor a shell
    if name.startswith(_OTHER):
        return frozenset()
    found = {language for start, language in _LANGUAGES.items() if name.startswith(start)}
    return frozenset(found or Language)


def _folder(framework: Framework, marker: str, source: Source) -> str | None:
    """The framework's folder in the container: absolute, empty for the image's own, None where the image lacks it."""
    if framework.built or not (source.mounted or source.recipe.copies):
        return ""
    there = source.inside(marker)
    if not there:
        return None
    return there.removesuffix(framework.top or posixpath.basename(marker)).rstrip("/") or "/"


def _working_folder(service: Service, source: Source) -> str:
    return str(service.definition.get("working_dir") or source.recipe.folder)


def _command(text: str, framework: Framework, folder: str, working: str, running: Running) -> Command:
    """A command as it is called in a service's container: by its own interpreter, from the framework's folder."""
    words = shlex.split(text)
    if framework.language == Language.PYTHON:
        words = _with_interpreter(words, running)
    if not folder or folder == working:
        return Command(*words)
    if framework.name == "Django":  # which finds itself beside manage.py, and by that its migrations can be named
        return Command(*(posixpath.join(folder, word) if word == "manage.py" else word for word in words))
    return Command("sh", "-c", f"cd {shlex.quote(folder)} && exec {shlex.join(words)}")


def _with_interpreter(words: list[str], running: Running) -> list[str]:
    """`uv run`, `poetry run` and their like where they start the service, else the python that starts it."""
    first = list(running.words[:2])
    if len(first) == 2 and first[0] in _RUNNERS and first[1] == "run":  # noqa: PLR2004
        return [*first, *words]
    named = _PYTHON.search(" ".join(running.words))
    return [named[1] if named and word == "python" else word for word in words]


def _running(service: Service, source: Source) -> Running:
    return Running(tuple(_words(service, source)), service.environment)


def _own_words(service: Service) -> tuple[str, ...]:
    entrypoint, command = service.definition.get("entrypoint"), service.definition.get("command")
    return tuple(str(word) for word in (*(entrypoint or ()), *(command or ())))


def _words(service: Service, source: Source) -> tuple[str, ...]:
    """What a service's container starts, compose's own words over the image's."""
    entrypoint = service.definition.get("entrypoint")
    command = service.definition.get("command")
    own = source.recipe
    first = tuple(entrypoint) if entrypoint else own.entrypoint
    rest = tuple(command) if command else () if entrypoint else own.command
    return tuple(str(word) for word in (*first, *rest))


def _hindrance(service: Service, source: Source) -> str:
    """Why a container of the service would not run another command; empty where it would, as far as can be seen."""
    entrypoint = tuple(service.definition.get("entrypoint") or source.recipe.entrypoint)
    program = next((word for word in entrypoint if posixpath.basename(word) not in _PASSES_ON and word[:1] != "-"), "")
    if not program:
        return ""
    name = posixpath.basename(program)
    for file in source.named(name):
        if text := source.text(file):
            return "" if re.search(r"\$[@*]", text) else f"its entrypoint {name} runs no other command"
    if name.endswith(".sh") or "entrypoint" in name:
        return ""
    return f"its entrypoint {name} runs no other command"
