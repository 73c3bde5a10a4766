"""`sandbox.*`: a throw-away production host on this machine, for rehearsing a release with no server."""

from __future__ import annotations

import os

from invoke.collection import Collection

from deploy.engine.sandbox import WORD
from deploy.model.command import Command
from deploy.model.errors import UsageError
from deploy.model.settings.reading import NAME
from deploy.remote.target import resolve
from deploy.tasks.app import App
from deploy.tasks.base import task

NAME_HELP = "a further sandbox of this name, reached as --host sandbox-NAME"


@task(help={"name": NAME_HELP, "yes": "install and start Docker without asking when it is missing"})
def up(app: App, name: str = "", yes: bool = False) -> None:
    """Make a sandbox, or start it again: a privileged container with sshd, its own engine and its own address.

    Example: inv sandbox.up, then inv prod.deploy --host sandbox
    """
    spec = _spec(name)
    app.require_engine(yes=yes)
    sandbox = app.sandbox(spec)
    address = sandbox.up()
    app.console.good(f"{sandbox.name} is up at {address}.")
    app.console.say(f"Next: inv prod.deploy --host {sandbox.name}; inv sandbox.down removes it.")


@task(help={"name": NAME_HELP})
def down(app: App, name: str = "") -> None:
    """Remove a sandbox with everything deployed to it.

    Example: inv sandbox.down
    """
    sandbox = app.sandbox(_spec(name))
    if not sandbox.exists:
        sandbox.down()
        app.console.good(f"There is no {sandbox.name}.")
        return
    with app.console.step(f"Remove {sandbox.name}"):
        sandbox.down()
    app.console.good(f"{sandbox.name} is gone.")


@task(help={"name": NAME_HELP, "command": "run this there instead of opening a shell, quoted as one word"})
def ssh(app: App, name: str = "", command: str = "") -> None:
    """Open a shell in a sandbox, as on any host reached by SSH.

    Example: inv sandbox.ssh --command "docker ps"
    """
    sandbox = app.sandbox(_spec(name))
    target = resolve(sandbox.name, sandbox.require())
    words = target.ssh.then(target.destination).then(*([command] if command else []))
    os.execvp(words[0], Command(*words))


def _spec(name: str) -> str:
    """Raises UsageError for what cannot be a part of a container's name."""
    if name and not NAME.fullmatch(name):
        raise UsageError(f"--name {name}: cannot name a sandbox", "use lower-case letters, digits, '-' and '_'")
    return f"{WORD}-{name}" if name else WORD


def collection() -> Collection:
    return Collection("sandbox", down, ssh, up)
