"""`env.*`: the env files of environments, and what hosts have of them."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from invoke.collection import Collection

from deploy.engine.compose import ComposeProject
from deploy.engine.discover import compose_files, env_example
from deploy.engine.files import create_env_file, env_text, read_env_file, write_whole
from deploy.engine.held import readable_text, seal_of
from deploy.model.command import Command
from deploy.model.envfile import Example, Finding, Seal, check_env, documented, require_name, with_value, without
from deploy.model.errors import DeployError, UsageError, nearest
from deploy.model.findings import placeholders
from deploy.model.settings import LOCAL, Environment
from deploy.tasks.app import App
from deploy.tasks.base import JSON_HELP, task
from deploy.tasks.env_hosts import diff, pull, push
from deploy.tasks.env_rotate import rotate
from deploy.tasks.env_value import given_value
from deploy.ui.units import count

ENV_HELP = "whose env file (default: prod)"
_OTHERS = 0o077


@task(help={"env": ENV_HELP})
def init(app: App, env: str = "prod") -> None:
    """Make an env file from its example, with every secret generated that the example asks for. Never overwrites one.

    <random:N> becomes N random characters; the value at a comment `# generate: KIND` becomes one of that kind.
    Example: inv env.init --env staging
    """
    environment, path = _place(app, env)
    example = _example(app, environment)
    if path.exists():
        raise UsageError(f"{path.name} is there already", f"inv env.check --env {env} tells what is wrong with it")
    if example is None:
        raise UsageError(
            f"there is no example to make {path.name} from",
            "write .env.example; inv --help env.init tells what it says",
        )
    names = create_env_file(path, example)
    generated = f" with generated values for {', '.join(names)}" if names else ""
    app.console.good(f"Made {path.name} from {example.relative_to(app.root)}{generated}.")
    if environment.hosts:
        app.console.warn(
            f"where a release of {env} runs already, its data knows other secrets → inv env.pull --env {env} --host "
            f"{environment.hosts[0]} brings those back"
        )
    if made_up := placeholders(read_env_file(path)):
        app.console.warn(f"put in values of your own for {', '.join(made_up)}, which are the example's")
    app.console.say(f"Next: inv env.check --env {env}; keep {path.name} safe, and out of git.")


@task(help={"env": ENV_HELP, "json": JSON_HELP})
def check(app: App, env: str = "prod", json: bool = False) -> None:
    """Look an env file over, beside its example and the compose files; ends with status 1 when anything is wrong.

    What is missing, blank, made up, misspelt, there twice, read by nobody or readable for others. Shows no value.
    Example: inv env.check --env prod
    """
    environment, path = _place(app, env)
    _require_file(environment, path)
    compose = app.compose(environment, DEPLOY_ADDRESS="localhost")
    findings = (*_about_file(app, path), *_findings(app, environment, compose, path))
    fatal = [one for one in findings if one.fatal]
    if json:
        documents = [dataclasses.asdict(one) for one in findings]
        app.console.json({"environment": env, "file": path.name, "findings": documents})
    else:
        for one in findings:
            place = f"{path.name}:{one.line}" if one.line else path.name
            remedy = f" → {one.remedy}" if one.remedy else ""
            app.console.data(f"{'✗' if one.fatal else '!'} {place}: {one.message}{remedy}")
    if fatal:
        raise DeployError(f"{count(len(fatal), 'problem')} in {path.name}", "mend these, then run the command again")
    app.console.good(f"{path.name} has {count(len(compose.variables()), 'variable')}, and nothing is wrong with it.")


@task(name="set", positional=("key",), help={"key": "the variable's name", "env": ENV_HELP})
def set_(app: App, key: str, env: str = "prod") -> None:
    """Set a variable to a value from standard input, or one that is asked for without being shown.

    Comments, order and quoting stay; compose reads exactly that value. One line end after it is left out.
    Examples: inv env.set SMTP_PASSWORD; op read op://shop/smtp/password | inv env.set SMTP_PASSWORD --env staging
    """
    require_name(key)
    environment, path = _place(app, env)
    example = _example(app, environment)
    if not path.is_file() and example is not None:
        _require_file(environment, path)
    _require_plain(path)
    before = env_text(path) if path.is_file() else ""
    text = with_value(before, key, given_value(key), path.name)
    known = documented(env_text(example), example.name) if example else {}
    if known and key not in known:
        app.console.warn(f"{example.name if example else ''} does not know {key}: {nearest(key, [*known])}")
    if text == before:
        app.console.good(f"{key} has that value in {path.name}: nothing was changed.")
        return
    write_whole(path.resolve(), text)
    app.console.good(f"Set {key} in {path.name}.")
    if key in environment.secrets:
        app.console.warn(f"secrets: in invoke.yaml has a command for {key}, which counts more")
    _say_next(app, env)


@task(positional=("key",), help={"key": "the variable's name", "env": ENV_HELP})
def unset(app: App, key: str, env: str = "prod") -> None:
    """Remove a variable from an env file, every line of it; the rest stays as it is.

    Example: inv env.unset OLD_TOKEN --env prod
    """
    require_name(key)
    environment, path = _place(app, env)
    _require_file(environment, path)
    _require_plain(path)
    write_whole(path.resolve(), without(env_text(path), key, path.name))
    app.console.good(f"Removed {key} from {path.name}.")
    _say_next(app, env)


@task(
    positional=("key",),
    help={"key": "the variable's name", "env": ENV_HELP, "show": "print it to a terminal too, for whoever looks on"},
)
def get(app: App, key: str, env: str = "prod", show: bool = False) -> None:
    """Print the value of a variable, as compose reads it, to a file or another program; to a terminal with --show.

    Example: inv env.get POSTGRES_PASSWORD --env prod | pbcopy
    """
    require_name(key)
    environment, path = _place(app, env)
    _require_file(environment, path)
    values = app.compose(environment).variables()
    if key not in values:
        raise UsageError(f"{path.name}: there is no {key}", nearest(key, [*values]))
    if sys.stdout.isatty() and not show:
        raise UsageError(f"{key} would be seen on this terminal", "add --show, or send it to a program: | pbcopy")
    app.console.data(values[key])


def _place(app: App, env: str) -> tuple[Environment, Path]:
    environment = app.settings.environment(env)
    return environment, app.env_file(environment)


def _example(app: App, environment: Environment) -> Path | None:
    return env_example(app.root, compose_files(app.root, environment), environment.name)


def _require_file(environment: Environment, path: Path) -> None:
    if not path.is_file():
        name = environment.name
        raise UsageError(
            f"there is no {path.name}",
            f"inv env.init --env {name} makes it"
            + ("" if environment.local else f"; inv env.pull --env {name} brings it back from a host"),
        )


def _require_plain(path: Path) -> None:
    """Raises UsageError for an encrypted file: it would have to be encrypted anew, and for whom is not known here."""
    seal = seal_of(path)
    if seal:
        how = f"sops {path.name}" if seal == Seal.SOPS else "decrypt it, change it, and encrypt it for the same people"
        raise UsageError(f"{path.name} is encrypted with {seal}, and is not changed here", how)


def _findings(app: App, environment: Environment, compose: ComposeProject, path: Path) -> tuple[Finding, ...]:
    example = _example(app, environment)
    beside = Example(example.name, env_text(example)) if example else None
    return check_env(
        readable_text(path, environment, app.shell()),
        path.name,
        beside,
        compose.uses(),
        compose.shell.environ(),
        tuple(compose.missing_variables()),
        "" if environment.name == "prod" else f" --env {environment.name}",
    )


def _about_file(app: App, path: Path) -> tuple[Finding, ...]:
    mode = path.stat().st_mode
    found = []
    if mode & _OTHERS and not seal_of(path):
        message = f"others on this machine may read it (mode {mode & 0o777:04o})"
        found.append(Finding("mode", "", 0, message, f"chmod 600 {path.name}", fatal=False))
    if not seal_of(path) and app.shell().run(Command("git", "ls-files", "--error-unmatch", str(path)), check=False).ok:
        found.append(Finding("shared", "", 0, "git keeps it, for everybody who has the repository", "", fatal=False))
    return tuple(found)


def _say_next(app: App, env: str) -> None:
    app.console.say("Next: inv dev.up takes it over." if env == LOCAL else f"Next: inv {env}.deploy takes it over.")


def collection() -> Collection:
    return Collection("env", check, diff, get, init, pull, push, rotate, set_, unset)
