"""Reading what the rules look at: compose files as they are written, env files, Dockerfiles, build contexts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from deploy.engine.compose import ComposeProject
from deploy.engine.context import ignore_file, ignore_rules
from deploy.engine.dockerfiles import dockerfile_text
from deploy.engine.files import env_text
from deploy.engine.lines import SourceLines
from deploy.engine.nginx import nginx_files
from deploy.model.command import Command
from deploy.model.dockerignore import IgnoreRules
from deploy.model.envfile import parse
from deploy.model.findings import placeholders
from deploy.model.places import Places
from deploy.model.rules import Context, Dockerfile, EnvFile, Subject, Variable
from deploy.model.rules.contexts import SECRET_NAME
from deploy.model.settings import Engine, Environment
from deploy.model.stack import Build, Stack
from deploy.shell import LocalShell

DEEPEST = 3
"""How deep below a build context secrets are looked for."""
_SECRETS = re.compile(
    r"(.*/)?(\.env(\.(?!.*(example|sample|template|dist)).+)?|.*\.(pem|key|pfx|p12|jks|kdbx)|id_(rsa|dsa|ecdsa|ed25519)|"
    r"\.npmrc|\.pypirc|\.netrc|\.pgpass|credentials\.json|secrets?\.(ya?ml|json|toml)|\.aws/credentials)"
)
_SKIPPED = frozenset({"node_modules", ".venv", "venv", "vendor", "__pycache__", ".git", "dist", "target"})
BULK = (".git", ".venv", "node_modules", "venv")
_MOST_BYTES = 64 * 1024
_BY_NAME = frozenset({".pfx", ".p12", ".jks", ".kdbx", ".pgpass", ".netrc", ".pypirc", "credentials"})
"""Names and suffixes of what is nothing but secrets, whatever is in it."""
_PAIR = re.compile(r"^\s*(?:export\s+)?(\w+)[ \t]*=[ \t]*(?:\"([^\"]*)\"|'([^']*)'|([^\s#]*))", re.MULTILINE)


def read_subject(
    compose: ComposeProject,
    environment: Environment,
    root: Path,
    stack: Stack,
    places: Places,
    lines: SourceLines,
    *,
    example: Path | None,
    missing: Iterable[str] = (),
    warnings: Sequence[str] = (),
) -> Subject:
    """Everything that rules look at, in one environment. `example` is what its env file is made from;
    `missing` are variables that nothing sets, which are taken to be something all the same.
    """
    builds = {name: one.build for name, one in stack.services.items() if one.build and one.build.local}
    contexts = {build.context: _context(build, root) for build in builds.values()}
    there = compose.env_file if compose.env_file and compose.env_file.is_file() else None
    stands_in = there is not None and there == example
    made_from = _env_file(example, root) if example else None
    files = lines.written()
    # of one that is encrypted nothing can be told; its variables come in compose's environment
    env = _env_file(there, root) if there and not stands_in and not compose.held.sealed else None
    return Subject(
        environment=environment.name,
        stack=stack,
        places=places,
        files=files,
        env=env,
        example=made_from,
        set_elsewhere=frozenset(compose.shell.environ()),
        stood_in=frozenset(missing)
        | frozenset(one.name for one in (made_from.variables if stands_in and made_from else ())),
        tracked=_tracked(root, [one.path for one in files] + ([env.path] if env else [])),
        dockerfiles={name: _dockerfile(one.build, root) for name, one in stack.services.items() if one.build},
        contexts={name: contexts[build.context] for name, build in builds.items()},
        nginx=nginx_files(stack, root),
        today=datetime.now(UTC).date(),
        warnings=tuple(warnings),
        cluster=environment.engine == Engine.SWARM,
    )


def _tracked(root: Path, paths: Sequence[str]) -> frozenset[str] | None:
    inside = [path for path in paths if not Path(path).is_absolute()]
    try:
        done = LocalShell(root).run(Command("git", "ls-files", "-z", "--", *inside), check=False)
    except OSError:  # no git
        return None
    return frozenset(name for name in done.stdout.split("\0") if name) if done.ok else None


def _env_file(path: Path, root: Path) -> EnvFile:
    found = tuple(Variable(one.name, one.raw, one.line) for one in parse(env_text(path), path.name))
    return EnvFile(_relative(path, root), found)


def _dockerfile(build: Build, root: Path) -> Dockerfile:
    path = "" if build.inline is not None or not build.local else _relative(build.dockerfile_path, root)
    return Dockerfile(path, dockerfile_text(build), str(build.definition.get("target") or ""))


def _context(build: Build, root: Path) -> Context:
    folder = Path(build.context)
    rules = ignore_rules(build)
    bulk = tuple(name for name in BULK if (folder / name).exists() and not rules.ignores(name))
    return Context(_relative(folder, root), ignore_file(build) is not None, tuple(_secrets(folder, rules)), bulk)


def _secrets(folder: Path, rules: IgnoreRules) -> Iterator[str]:
    """Files near the top of a build context that hold secrets and that the build sees."""
    for current, folders, files in os.walk(folder):
        below = Path(current).relative_to(folder)
        folders[:] = sorted(name for name in folders if name not in _SKIPPED) if len(below.parts) < DEEPEST else []
        for name in sorted(files):
            path = (below / name).as_posix()
            if _SECRETS.fullmatch(path) and not rules.ignores(path) and _holds_secret(Path(current, name)):
                yield path


def _holds_secret(file: Path) -> bool:
    """Whether a file whose name suggests it has a secret in it: certificates and public settings are called alike."""
    if {file.name, file.suffix} & _BY_NAME:
        return True
    try:
        with file.open(errors="replace") as stream:
            text = stream.read(_MOST_BYTES)
    except OSError:  # a link that leads nowhere, or what this user may not read
        return False
    if file.name == ".npmrc":
        return "_auth" in text
    if file.name.startswith(".env"):
        given = {name: value for name, *values in _PAIR.findall(text) if (value := "".join(values))}
        held = {name: value for name, value in given.items() if SECRET_NAME.fullmatch(name) and value[0] != "$"}
        return bool(held.keys() - {*placeholders(held)})
    return "PRIVATE KEY-----" in text or file.suffix not in {".pem", ".key"}


def _relative(path: Path, root: Path) -> str:
    whole = Path(os.path.normpath(path))
    return str(whole.relative_to(root)) if whole.is_relative_to(root) else str(whole)
