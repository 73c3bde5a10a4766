"""`host.*`: making machines ready."""

from __future__ import annotations

from invoke.collection import Collection

from deploy.engine.install import local_user, set_up
from deploy.model.command import Command
from deploy.tasks.app import App
from deploy.tasks.base import HOST_HELP, task


@task(
    iterable=("host",),
    help={"host": f"{HOST_HELP} (default: this machine)", "environment": "whose folder to make there"},
)
def setup(app: App, host: list[str], environment: str = "prod") -> None:
    """Install what is missing of Docker Engine, compose v2 and buildx, and start the engine; say what was done.

    Works on Debian and Ubuntu, as root or with sudo, any number of times. Example: inv host.setup --host root@app1
    """
    if not host:
        with app.console.step("Set up this machine"):
            set_up(app.shell(), user=local_user(), on_line=app.console.note)
        app.console.good("This machine is ready.")
        app.console.say("Next: inv dev.up.")
        return
    target = app.settings.environment(environment)
    for spec in app.hosts(target, host):
        with app.site(target, spec) as site, app.console.step(f"Set up {spec}"):
            user = site.shell.run(Command("id", "-un")).stdout.strip()
            set_up(site.shell, user=user, folder=str(target.path), on_line=app.console.note)
        app.console.good(f"{spec} is ready.")
        app.console.say(f"Next: inv {environment}.deploy --host {spec}.")


def collection() -> Collection:
    return Collection("host", setup)
