"""What a build sees and takes into an image."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from deploy.model.checks.problem import Problem
from deploy.model.rules.rule import Severity, rule
from deploy.model.rules.stages import Line, built_lines
from deploy.model.rules.subject import Subject, at
from deploy.model.stack import Service

SECRET_NAME = re.compile(
    r"(?!(NEXT_PUBLIC|VITE|REACT_APP|NUXT_PUBLIC|GATSBY|PUBLIC|EXPO_PUBLIC)_)"
    r"(.*_)?(PASSWORD|PASSWD|SECRET|SECRET_KEY|TOKEN|PRIVATE_KEY|API_KEY|ACCESS_KEY|CREDENTIALS)",
    re.IGNORECASE,
)
"""Names of variables whose value nobody may see. Frameworks put those that begin so into pages on purpose."""
KEY_SUFFIXES = frozenset({".pem", ".key", ".pfx", ".p12", ".jks", ".kdbx"})
_OF_TESTS = frozenset({"test", "tests", "testdata", "fixtures", "examples", "example", "docs", "__tests__", "spec"})
_PAIR = re.compile(r"(\w+)(?:=|\s+)(\"[^\"]*\"|'[^']*'|\S*)")


@rule(
    "secrets-in-context",
    Severity.ERROR,
    "A build takes a secret into the image",
    why="""
    `COPY . .` takes every file that `.dockerignore` does not name. Whoever has the image, on a registry or on a host,
    can read it; a later `RUN rm` changes nothing of that. What only a step of the build takes is warned of.
    """,
    fix="Name it in `.dockerignore`; give it to the service by `env_file`, `secrets` or a mount.",
)
def secrets_in_context(subject: Subject) -> Iterator[Problem]:
    seen: set[str] = set()
    for service in _builders(subject):
        context = subject.contexts[service.name]
        lines = [*built_lines(service, subject)]
        for file in context.secrets:
            path = str(PurePosixPath(context.folder, file))
            copies = sorted((line for line in lines if line.takes(file)), key=lambda line: not line.own)
            if path in seen or not copies:
                continue
            seen.add(path)
            copy = copies[0]
            yield Problem(
                f"{service.name}: {path} holds a secret, and the build "
                f"{'puts it into the image' if copy.own else 'copies it'}",
                f"add {file} to {PurePosixPath(context.folder, '.dockerignore')}",
                fatal=copy.own and copy.takes_all and _certain(file),
                path=copy.path,
                place=copy.place,
            )


@rule(
    "no-dockerignore",
    Severity.WARNING,
    "A build takes everything that lies in its folder",
    why="""
    `COPY . .` without a `.dockerignore` takes `.git` and installed packages of this machine along: images grow, every
    commit builds them anew, and packages for this machine replace those that the build has installed.
    """,
    fix="A `.dockerignore` beside the `Dockerfile`, with `.git`, `node_modules`, `.venv` and `.env*` in it.",
)
def no_dockerignore(subject: Subject) -> Iterator[Problem]:
    seen: set[str] = set()
    for service in _builders(subject):
        context = subject.contexts[service.name]
        copy = next((line for line in built_lines(service, subject) if line.takes_all), None)
        if copy and context.bulk and not context.has_ignore_file and context.folder not in seen:
            seen.add(context.folder)
            yield Problem(
                f"{service.name}: the build copies {', '.join(context.bulk)} of {_called(context.folder)}",
                f"name what it does not need in {PurePosixPath(context.folder, '.dockerignore')}",
                path=copy.path,
                place=copy.place,
            )


@rule(
    "secret-in-build-arg",
    Severity.WARNING,
    "A secret becomes part of an image",
    why="""
    Values of `ARG` and `ENV` stay in the image's history: `docker history` shows them to whoever has the image. Stages
    that only build something for it are left out.
    """,
    fix="""
    `RUN --mount=type=secret,id=NAME` with `build: {secrets: [NAME]}` for what a build needs; `environment` or `secrets`
    of the service for what it needs as it runs.
    """,
)
def secret_in_build_arg(subject: Subject) -> Iterator[Problem]:
    seen: set[str] = set()
    for service in _builders(subject):
        assert service.build is not None  # noqa: S101  # _builders
        arguments: Mapping[str, str | None] = service.build.definition.get("args") or {}
        lines = [line for line in built_lines(service, subject) if line.own]
        taken = {re.split(r"[=\s]", line.rest)[0] for line in lines if line.word == "ARG"}
        for name, value in arguments.items():
            if SECRET_NAME.fullmatch(name) and value and (name in taken or not lines):
                yield _told(service, name, "is given to the build", at(service, "build", "args", name))
        for line in lines:
            for name in _set_by(line):
                where = f"{line.place or service.name} {name}"
                if where not in seen and name not in arguments:
                    seen.add(where)
                    yield _told(service, name, f"is set by {line.word}", line.path, line.place)


def _told(service: Service, name: str, what: str, path: tuple[str, ...], place: str = "") -> Problem:
    return Problem(
        f"{service.name}: {name} {what}, and stays in the image's history",
        "take it out; give it by a secret of the build, or to the service as it runs",
        path=path,
        place=place,
    )


def _set_by(line: Line) -> Iterator[str]:
    """Names of secrets that an instruction gives a value."""
    if line.word not in {"ARG", "ENV"}:
        return
    for name, value in _PAIR.findall(line.rest):
        plain = value.strip("\"'")
        if SECRET_NAME.fullmatch(name) and plain and not (line.word == "ARG" and "=" not in line.rest):
            yield name


def _builders(subject: Subject) -> Iterator[Service]:
    for service in subject.stack.built:
        if service.name in subject.contexts and not service.built_by:
            yield service


def _certain(file: str) -> bool:
    """Whether nobody would want a file in an image: one of variables, or a key that is not for tests."""
    path = PurePosixPath(file)
    is_key = path.suffix in KEY_SUFFIXES or path.name.startswith("id_")
    return path.name.startswith(".env") or (is_key and not _OF_TESTS & {*path.parts})


def _called(folder: str) -> str:
    return "the project's folder" if folder == "." else folder
