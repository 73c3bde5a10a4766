"""Compose projects: their normalized model, and the commands that work on them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.model.command import Command
from deploy.model.errors import UsageError
from deploy.model.stack import Stack, parse_stack
from deploy.shell import LocalShell

DOCKER = Command("docker")
_WARNING = re.compile(r'level=warning msg="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class ComposeProject:
    """The compose files of one environment on this machine, under one project name."""

    shell: LocalShell
    name: str
    files: tuple[Path, ...]
    env_file: Path | None = None

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
        return str(self.env_file) if self.env_file.is_file() else os.devnull

    def model(self) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """The normalized model with every profile's services, and compose's warnings about it.

        Raises UsageError when the files are invalid or need variables that are not set; every one is named.
        """
        done = self.shell.run(self.command.then("config", "--format", "json"), check=False)
        if not done.ok:
            raise self._invalid(done.stderr)
        warnings = tuple(dict.fromkeys(found.replace('\\"', '"') for found in _WARNING.findall(done.stderr)))
        document = json.loads(done.stdout)
        for name, options in self._extensions().items():
            document["services"][name]["x-deploy"] = options
        return document, warnings

    def _extensions(self) -> Mapping[str, Any]:
        """`x-deploy` of every service that has one: compose leaves extensions out of its JSON, not out of its YAML."""
        import yaml

        done = self.shell.run(self.command.then("config", "--format", "yaml"))
        services = yaml.safe_load(done.stdout)["services"]
        return {name: service["x-deploy"] for name, service in services.items() if "x-deploy" in service}

    def stack(self) -> tuple[Stack, tuple[str, ...]]:
        document, warnings = self.model()
        return parse_stack(document), warnings

    def _invalid(self, stderr: str) -> UsageError:
        missing = self._missing_variables()
        if missing:
            where = self.env_file or "the environment"
            return UsageError(
                f"{where}: not set: {', '.join(missing)}", f"set them in {where}; .env.example says what they are"
            )
        files = ", ".join(str(path) for path in self.files)
        return UsageError(
            f"docker compose does not accept {files}", "mend what the message above names", details=stderr
        )

    def _missing_variables(self) -> Sequence[str]:
        """Variables that the files call required and that nothing sets."""
        done = self.shell.run(self.command.then("config", "--variables"), check=False)
        rows = [line.split() for line in done.stdout.splitlines()[1:]]
        required = {row[0] for row in rows if row[1:2] == ["true"]}
        return sorted(name for name in required if not (self._env_file_values() | self.shell.environ()).get(name))

    def _env_file_values(self) -> dict[str, str]:
        from dotenv import dotenv_values

        values = dotenv_values(self._env_file, interpolate=False) if self._env_file else {}
        return {name: value or "" for name, value in values.items()}


def user_environment() -> dict[str, str]:
    """What dev compose files may refer to, so that files made in the checkout belong to whoever works in it."""
    return {"DEPLOY_UID": str(os.getuid()), "DEPLOY_GID": str(os.getgid())}
