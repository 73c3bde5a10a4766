"""Compose projects: their normalized model, and the commands that work on them."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.engine.dockerfiles import recipe_of
from deploy.engine.files import read_env_file
from deploy.engine.held import Held
from deploy.engine.lines import SourceLines
from deploy.engine.places import data_folders
from deploy.engine.sources import read_sources
from deploy.model.aliases import has_many_aliases, measure
from deploy.model.command import Command
from deploy.model.envfile import Uses, uses_of
from deploy.model.errors import UsageError
from deploy.model.findings import placeholders, with_found
from deploy.model.plan import Masking
from deploy.model.stack import Stack, build_of, parse_stack, unescaped, with_shared_builds
from deploy.shell import LocalShell
from deploy.shell.reading import read_file, read_text

DOCKER = Command("docker")
CONFIG_S = 120
"""How long compose may read: it takes half a second, and never ends with what some included files come to."""
EXTENSION = "x-deploy"
_NEAR = 0.85  # how alike a mistyped one is
_WARNING = re.compile(r'level=warning msg="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class ComposeProject:
    """The compose files of one environment on this machine, under one project name."""

    shell: LocalShell
    name: str
    files: tuple[Path, ...]
    env_file: Path | None = None
    held: Held = field(default_factory=Held)
    """Variables besides, which are in the shell's environment too."""

    def __post_init__(self) -> None:
        """Raises UsageError for files that nobody can read, which compose may wait for, or tell nothing of use about.

        An env file that is not there is none of those.
        """
        for file in self.files:
            _require_bounded(file, read_text(file))
        if self.env_file is not None and os.path.lexists(self.env_file) and not self.held.sealed:
            read_file(self.env_file)

    @property
    def command(self) -> Command:
        """`docker compose` with the project's name and files."""
        base = DOCKER.then("compose", "--project-name", self.name).option("--env-file", self._env_file)
        return base.each("--file", map(str, self.files))

    @property
    def _env_file(self) -> str | None:
        """A file that is not there counts as empty: left out, compose would take the `.env` beside the compose file."""
        if self.env_file is None:
            return None
        return str(self.env_file) if self.env_file.is_file() and not self.held.sealed else os.devnull

    def model(self) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """The normalized model with the services of all profiles that are on, and compose's warnings about it.

        A config or secret that comes from a variable has the value as its `content`. Raises UsageError when the files
        are invalid or need variables that are not set; every one is named.
        """
        self.variables()  # what compose says of a file that it cannot read has the line, and so a secret, in it
        self._require_readable()
        done = self.shell.run(self.command.then("config", "--format", "json"), check=False, timeout_s=CONFIG_S)
        if not done.ok:
            raise self._invalid(done.stderr)
        warnings = tuple(dict.fromkeys(found.replace('\\"', '"') for found in _WARNING.findall(done.stderr)))
        document = json.loads(done.stdout)
        for name, options in self._extensions().items():
            document["services"][name][EXTENSION] = options
        self._resolve(document)
        return document, warnings

    def _require_readable(self) -> None:
        """Raises UsageError where a service takes an env file that compose cannot read as a whole."""
        whole = self.uses().whole if self.held.sealed and self.env_file else ()
        if whole and self.env_file:
            raise UsageError(
                f"{', '.join(sorted(whole))} takes {self.env_file.name} as a whole (env_file:), and it is encrypted",
                "name the variables that it needs under environment: instead, as in `- SECRET_KEY`",
            )

    def _resolve(self, document: Mapping[str, Any]) -> None:
        """Give configs and secrets of variables their value: on a host nobody knows these variables."""
        values: Mapping[str, str] = {}
        for section in ("configs", "secrets"):
            for raw in (document.get(section) or {}).values():
                variable = raw.get("environment")
                values = values or (self.variables() | self.shell.environ() if variable else {})
                if variable and variable in values:
                    raw["content"] = values[variable].replace("$", "$$")

    def _extensions(self) -> Mapping[str, Any]:
        """`x-deploy` of every service that has one: compose leaves extensions out of its JSON, not out of its YAML."""
        import yaml

        done = self.shell.run(self.command.then("config", "--format", "yaml"))
        document = yaml.safe_load(done.stdout)
        services = document.get("services") or {}
        _require_in_place(document, services)
        return {name: _plain(service[EXTENSION]) for name, service in services.items() if EXTENSION in service}

    def stack(self) -> tuple[Stack, tuple[str, ...]]:
        """The stack, with what is found of services that do not say it themselves, and compose's warnings."""
        document, warnings = self.model()
        services = with_shared_builds(document).get("services") or {}
        bases = {name: recipe_of(build).base for name, raw in services.items() if (build := build_of(raw))}
        root = self.shell.cwd or Path.cwd()
        declared = parse_stack(document, bases, data_folders(document, root))
        return with_found(declared, read_sources(declared.services.values(), root)), warnings

    def _invalid(self, stderr: str) -> UsageError:
        missing = self.missing_variables()
        if missing:
            where = self.env_file or "the environment"
            return UsageError(
                f"{where}: not set: {', '.join(missing)}", f"set them in {where}; .env.example says what they are"
            )
        files = ", ".join(str(path) for path in self.files)
        said = Masking.of(self._written() | self.variables(), ()).masked(stderr)
        return UsageError(f"docker compose does not accept {files}", "mend what the message above names", details=said)

    def _written(self) -> dict[str, str]:
        """What stands behind each name in the env file, word for word: compose shows that of a line it cannot read."""
        text = read_text(Path(self._env_file)) if self._env_file and self._env_file != os.devnull else ""
        lines = (line.partition("=") for line in text.splitlines())
        return {name: value.strip(" '\"") for name, equals, value in lines if equals}

    def raw_environments(self) -> Mapping[str, Mapping[str, str | None]]:
        """The environment of each service before variables are put in; empty where compose cannot give that."""
        done = self.shell.run(self.command.then("config", "--no-interpolate", "--format", "json"), check=False)
        services = json.loads(done.stdout)["services"] if done.ok else {}
        return {name: _as_mapping(service.get("environment") or {}) for name, service in services.items()}

    def uses(self) -> Uses:
        """What the files do with variables. Where compose cannot tell, their texts are searched."""
        done = self.shell.run(self.command.then("config", "--no-interpolate", "--format", "json"), check=False)
        texts = [file.read_text(errors="replace") for file in self.files if file.is_file()]
        return uses_of(json.loads(done.stdout) if done.ok else {}, str(self.env_file or ""), texts)

    def missing_variables(self) -> Sequence[str]:
        """Variables that the files call required and that nothing sets.

        Compose says of one that is asked for twice, by `${NAME:?}` and by `${NAME}`, now this and now that.
        """
        done = self.shell.run(self.command.then("config", "--variables"), check=False)
        rows = [line.split() for line in done.stdout.splitlines()[1:]]
        written = SourceLines(self.files, self.shell.cwd or Path.cwd()).written()
        required = {row[0] for row in rows if row[1:2] == ["true"]}
        required |= {one.name for file in written for one in file.references if one.required}
        given = self.variables() | self.shell.environ()
        return sorted(name for name in required if not given.get(name))

    def variables(self) -> dict[str, str]:
        """What the env file says, as compose reads it, and what is held besides. Holds the values of secrets.

        Raises UsageError with the line that compose would not read.
        """
        readable = self.env_file is not None and not self.held.sealed
        values = read_env_file(self.env_file, self.shell.environ()) if self.env_file and readable else {}
        return {**values, **self.held.values}

    def made_up(self) -> tuple[str, ...]:
        """Secrets in the env file whose value is an example's."""
        return placeholders(self.variables())


def _require_bounded(file: Path, text: str) -> None:
    """Compose writes every alias out, and goes on for hours where they are aliases of aliases. Raises UsageError."""
    import yaml

    if has_many_aliases(text):
        with contextlib.suppress(yaml.YAMLError, RecursionError):  # what compose has its own words for
            measure(yaml.compose(text, Loader=yaml.SafeLoader), str(file))


def _require_in_place(document: Mapping[str, Any], services: Mapping[str, Mapping[str, Any]]) -> None:
    """Compose takes any extension anywhere: one that nobody reads is a mistake nobody sees. Raises UsageError."""
    if EXTENSION in document:
        raise UsageError(f"{EXTENSION} at the top of a compose file is nobody's", "write it beside a service, below it")
    for name, service in services.items():
        keys = [key for key in service if key.startswith("x-") and key != EXTENSION]
        if near := difflib.get_close_matches(EXTENSION, keys, n=1, cutoff=_NEAR):
            raise UsageError(f"services.{name}.{near[0]}: unknown key", f"did you mean '{EXTENSION}'?")


def _as_mapping(environment: Mapping[str, str | None] | Sequence[str]) -> Mapping[str, str | None]:
    """An environment that was not normalized, in either of its two forms."""
    if isinstance(environment, Mapping):
        return environment
    return {name: value for name, _, value in (str(word).partition("=") for word in environment)}


def _plain(value: Any) -> Any:
    """An extension as its author meant it: compose prints every dollar twice."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return unescaped(value) if isinstance(value, str) else value


def user_environment() -> dict[str, str]:
    """What dev compose files may refer to, so that files made in the checkout belong to whoever works in it."""
    return {"DEPLOY_UID": str(os.getuid()), "DEPLOY_GID": str(os.getgid())}
