"""Variables that are on no disk of this machine: from an encrypted env file, or from a command for each."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from deploy.engine.files import env_text
from deploy.model.command import Command
from deploy.model.envfile import Seal, evaluate, parse, sealed_by
from deploy.model.errors import DeployError, UsageError
from deploy.model.settings import Environment
from deploy.shell import Completed, LocalShell

TIMEOUT_S = 120
"""How long a program may take, a fingerprint or a second factor included."""
_AT_ONCE = 8


@dataclass(frozen=True)
class Held:
    """Variables that compose gets by its environment, which only its own user can read."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    sealed: bool = False
    """Whether the env file itself is encrypted: compose is not to read it."""


def seal_of(path: Path) -> Seal | None:
    """What a file is encrypted with; nothing where it is readable, or not there."""
    return sealed_by(path.read_bytes()) if path.is_file() else None


def hold(environment: Environment, path: Path, shell: LocalShell) -> Held:
    """Open the environment's env file if it is encrypted, and ask for each secret that a command gives.

    What is in this process's environment counts more, as for any variable, and is not asked for. Raises UsageError
    where a program or a key is missing, and DeployError where one fails.
    """
    environ = shell.environ()
    seal = seal_of(path)
    values: dict[str, str] = {}
    if seal:
        text = opened(path, seal, environment, shell)
        values |= evaluate(parse(text, path.name), environ, path.name).values
    wanted = {name: command for name, command in environment.secrets.items() if name not in environ}
    if wanted:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            given = pool.map(lambda name: _asked(name, wanted[name], environment.name, shell), wanted)
            values |= dict(zip(wanted, given, strict=True))
    return Held(values, bool(seal))


def readable_text(path: Path, environment: Environment, shell: LocalShell) -> str:
    """The text of an env file, opened if it is encrypted. Raises UsageError where that cannot be."""
    seal = seal_of(path)
    return opened(path, seal, environment, shell) if seal else env_text(path)


def opened(path: Path, seal: Seal, environment: Environment, shell: LocalShell) -> str:
    """The text of an encrypted env file. Raises UsageError where the program or the key is missing."""
    if shutil.which(seal, path=shell.environ().get("PATH")) is None:
        raise UsageError(
            f"{path.name} is encrypted with {seal}, and there is no program '{seal}' here",
            f"install {seal}, or put a readable {path.name} in its place",
        )
    command = Command("sops", "--decrypt", "--input-type", "dotenv", "--output-type", "dotenv", str(path))
    if seal == Seal.AGE:
        command = Command("age", "--decrypt", "--identity", _identity(path, environment), str(path))
    done = shell.run(command, check=False, timeout_s=TIMEOUT_S)
    if not done.ok:
        raise DeployError(
            f"{path.name} cannot be decrypted with {seal}", f"try it: {command.shell()} >/dev/null", details=done.stderr
        )
    return _text(done, path.name)


def _identity(path: Path, environment: Environment) -> str:
    name = environment.env_identity or environment.encryption.identity
    where = f"deploy.environments.{environment.name}.env_identity"
    if not name:
        raise UsageError(f"{path.name} is encrypted with age, and no key is named", f"name its file: {where}")
    file = Path(name).expanduser()
    if not file.is_file():
        raise UsageError(f"{path.name} is encrypted with age, and its key is not there: {name}", f"check {where}")
    return str(file)


def _asked(name: str, command: Command, environment: str, shell: LocalShell) -> str:
    """What a command prints, without one line end. Nothing that it printed is in an error."""
    where = f"deploy.environments.{environment}.secrets.{name}"
    if shutil.which(command[0], path=shell.environ().get("PATH")) is None:
        raise UsageError(f"{where}: there is no program '{command[0]}' here", "install it, or mend invoke.yaml")
    done = shell.run(command, check=False, timeout_s=TIMEOUT_S)
    if not done.ok:
        raise DeployError(
            f"{where}: '{command[0]}' ended with status {done.exit_code}",
            f"try it: {command.shell()} >/dev/null",
            details=done.stderr,
        )
    value = _text(done, where).removesuffix("\n").removesuffix("\r")
    if not value:
        raise DeployError(f"{where}: '{command[0]}' printed nothing", f"try it: {command.shell()}")
    if "\0" in value:
        raise DeployError(f"{where}: '{command[0]}' printed a NUL, which no environment holds")
    return value


def _text(done: Completed, what: str) -> str:
    if "\ufffd" in done.stdout:  # what a shell puts for bytes that are none
        raise DeployError(f"{what}: this is not UTF-8", "encode it, for example as base64")
    return done.stdout
