"""Which file holds an environment's variables, what it is made from, and which of its values nobody should keep."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from deploy.model.settings import LOCAL

_PROD = ("prod", "production")
_DEV = ("dev", "development", "local")
_SECRET = re.compile(r".*(PASSWORD|PASSWD|SECRET|TOKEN|PRIVATE_KEY|API_KEY)(?!.*_FILE$).*", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"(?:change|replace|insert|your|enter|fill|todo|insecure|example|sample|dummy|default|secret|password|passwd|pass|"
    r"admin|root|test|dev|django-insecure|xxx|<|\.\.\.|1234).*|postgres|mysql|mongo|redis|user",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class EnvFile:
    """Where an environment's variables are, or are to be."""

    path: str
    """Relative to the project's folder."""
    reason: str


def choose_env_file(
    names: Collection[str], environment: str, wanted: str, *, shared: bool, folders: Sequence[str] = ("",)
) -> EnvFile:
    """The env file of an environment among a project's files.

    `wanted` is what the settings say, by default `.env` or `.env.<environment>`; `shared` says that `.env` belongs to
    the project itself rather than to whoever works here; `folders` are looked into in turn.
    """
    local = environment == LOCAL
    usual = wanted == (".env" if local else f".env.{environment}")
    if not usual:
        return EnvFile(wanted, "invoke.yaml names it")
    if wanted in names:
        return EnvFile(wanted, f"the usual name for {environment}")
    for folder in folders:
        for name in _names(folder, environment):
            if name in names and not (local and examples(names, environment, folders)):
                return EnvFile(name, f"its name says {environment}")
    beside = next((path for folder in folders if (path := posixpath.join(folder, ".env")) in names), "")
    if local and beside:
        return EnvFile(beside, "it is beside the compose file")
    if beside and shared and not examples(names, environment, folders):
        return EnvFile(beside, "it is part of the project, and there is no other")
    return EnvFile(wanted, "to be made from its example" if examples(names, environment, folders) else "none is needed")


def examples(names: Collection[str], environment: str, folders: Sequence[str] = ("",)) -> tuple[str, ...]:
    """What an env file can be made from, the environment's own before the general ones."""
    return tuple(
        path for folder in folders for name in _examples(environment) if (path := posixpath.join(folder, name)) in names
    )


def is_secret_name(name: str) -> bool:
    """Whether a variable is one that nobody should see, by its name."""
    return bool(_SECRET.fullmatch(name))


def placeholders(values: Mapping[str, str]) -> tuple[str, ...]:
    """Names of secrets whose value looks as if an example's author had made it up."""
    return tuple(name for name, value in values.items() if _SECRET.fullmatch(name) and value and _made_up(name, value))


def _made_up(name: str, value: str) -> bool:
    return bool(_PLACEHOLDER.fullmatch(value)) or value.lower() == name.lower() or len(set(value)) == 1


def _names(folder: str, environment: str) -> Iterator[str]:
    words = _DEV if environment == LOCAL else _PROD if environment in _PROD else (environment,)
    for word in words:
        for name in (f".env.{word}", f"{word}.env", f".{word}.env", f"env.{word}"):
            yield posixpath.join(folder, name)


def _examples(environment: str) -> Iterator[str]:
    words = _DEV if environment == LOCAL else (*_PROD, environment) if environment in _PROD else (environment,)
    for word in dict.fromkeys(words):
        yield from (f".env.{word}.example", f".env.example.{word}", f".env.{word}.sample", f".env.{word}.template")
    yield from (".env.example", ".env.sample", ".env.template", ".env.dist", ".env-example", ".env_example")
    yield from ("env.example", "example.env", "sample.env", "env.sample", "env.template")
