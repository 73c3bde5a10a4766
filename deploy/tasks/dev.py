"""`dev.*`: the development stack on this machine."""

from __future__ import annotations

from invoke.collection import Collection

from deploy.engine.dev import DevStack
from deploy.model.errors import UsageError
from deploy.model.options import split, split_command
from deploy.model.stack import one_service
from deploy.tasks.app import App
from deploy.tasks.base import YES_HELP, tail_of, task

SERVICE_HELP = "only this service"


@task(help={"service": SERVICE_HELP, "yes": "install and start Docker without asking when it is missing"})
def up(app: App, service: str = "", yes: bool = False) -> None:
    """Build and start the stack, wait until it is healthy, migrate, and print its addresses.

    Makes .env from .env.example on first use, with generated secrets. Example: inv dev.up
    """
    dev = app.dev(yes=yes)
    dev.up(service)
    _print_addresses(app)
    app.console.good("The stack is up.")
    app.console.say("Next: inv dev.logs, inv dev.test, inv dev.shell; inv dev.down stops it.")


@task()
def down(app: App) -> None:
    """Stop the stack and remove its containers; the data stays.

    Example: inv dev.down
    """
    dev = app.dev()
    with app.console.step("Stop") as step:
        dev.compose.shell.run(dev.compose.command.then("down", "--remove-orphans"), on_line=step.show)
    app.console.good("The stack is down; its volumes are kept.")
    app.console.say("Next: inv dev.up starts it again; inv dev.reset removes the data too.")


@task(help={"service": SERVICE_HELP, "no_cache": "build every layer anew"})
def build(app: App, service: str = "", no_cache: bool = False) -> None:
    """Build the images without starting anything.

    Example: inv dev.build --service backend
    """
    dev = app.dev()
    wanted = [one for one in dev.stack.services.values() if one.build and service in ("", one.name)]
    if service:
        dev.require_service(service)
    if not wanted:
        built = ", ".join(one.name for one in dev.stack.built)
        raise UsageError(
            f"{service or 'this stack'} is not built from a Dockerfile",
            f"built ones: {built}" if built else "there is nothing to do",
        )
    dev.obtain(wanted)
    dev.build([one.name for one in wanted], no_cache=no_cache)
    app.console.good("Built.")
    app.console.say("Next: inv dev.up starts what was built.")


@task(help={"service": SERVICE_HELP})
def restart(app: App, service: str = "") -> None:
    """Restart the containers, or one service's.

    Example: inv dev.restart --service worker
    """
    dev = app.dev()
    with app.console.step(f"Restart {service or 'every service'}") as step:
        dev.compose.shell.run(dev.compose.command.then("restart", *_services(dev, service)), on_line=step.show)
    app.console.good("Restarted.")


@task()
def ps(app: App) -> None:
    """List the containers with their state and ports.

    Example: inv dev.ps
    """
    app.dev().interactive("ps", "--all")


@task(help={"service": SERVICE_HELP, "follow": "go on as lines arrive", "tail": "how many lines per service"})
def logs(app: App, service: str = "", follow: bool = False, tail: str = "100") -> None:
    """Print the last log lines.

    Example: inv dev.logs --service backend --follow
    """
    words = ["logs", "--tail", tail_of(tail), *(["--follow"] if follow else [])]
    dev = app.dev()
    dev.interactive(*words, *_services(dev, service))


@task(help={"service": "the service whose shell to open; needed when more than one declares x-deploy.shell"})
def shell(app: App, service: str = "") -> None:
    """Open the application's own shell (x-deploy.shell), for example Django's.

    For a shell of the operating system: inv dev.exec backend sh
    """
    dev = app.dev()
    commands = {found.name: command for found, command in dev.declared("shell", service or None)}
    chosen = one_service(commands, "shell")
    dev.interactive("exec", chosen, *commands[chosen])


@task(
    name="exec",
    positional=("service", "command"),
    help={"service": "where to run it", "command": "what to run, quoted as one word"},
)
def exec_(app: App, service: str, command: str) -> None:
    """Run a command in a service's running container.

    Example: inv dev.exec backend "python manage.py check"
    """
    words = split_command(command)
    dev = app.dev()
    dev.require_service(service)
    dev.interactive("exec", service, *words)


@task(help={"service": SERVICE_HELP})
def migrate(app: App, service: str = "") -> None:
    """Run the migrations (x-deploy.migrate).

    Example: inv dev.migrate
    """
    dev = app.dev()
    for found, _ in dev.declared("migrate", service or None):
        dev.migrate(found)
    app.console.good("The schema is up to date.")


@task(help={"service": SERVICE_HELP, "arguments": "further words for the command, quoted as one"})
def makemigrations(app: App, service: str = "", arguments: str = "") -> None:
    """Write new migration files into the checkout (x-deploy.makemigrations).

    Example: inv dev.makemigrations --arguments "tracker --name add_colour"
    """
    dev = app.dev()
    for found, command in dev.declared("makemigrations", service or None):
        done = dev.compose.shell.run(dev.inside(found.name, command.then(*split(arguments, "--arguments"))))
        app.console.data(done.stdout.rstrip())
    app.console.say("Next: look at the new files, then inv dev.migrate.")


@task(help={"service": SERVICE_HELP, "arguments": "further words for the command, quoted as one"})
def test(app: App, service: str = "", arguments: str = "") -> None:
    """Run the application's tests in its containers (x-deploy.test).

    Example: inv dev.test --service backend --arguments "tracker.tests.test_api"
    """
    dev = app.dev()
    for found, command in dev.declared("test", service or None):
        with app.console.step(f"Test {found.name}: {command}") as step:
            dev.compose.shell.run(
                dev.inside(found.name, command.then(*split(arguments, "--arguments"))), on_line=step.show
            )
    app.console.good("All tests passed.")


@task(help={"yes": YES_HELP})
def reset(app: App, yes: bool = False) -> None:
    """Remove the stack with its volumes: every row of the development database is lost.

    Example: inv dev.reset --yes
    """
    dev = app.dev()
    volumes = ", ".join(volume["name"] for volume in (dev.stack.document.get("volumes") or {}).values())
    app.console.confirm(
        f"Remove every container and these volumes with all they hold: {volumes}?",
        yes=yes,
        consequence=f"this removes the volumes {volumes}",
    )
    with app.console.step("Remove containers and volumes") as step:
        dev.compose.shell.run(dev.compose.command.then("down", "--volumes", "--remove-orphans"), on_line=step.show)
    app.console.good("The stack and its data are gone.")
    app.console.say("Next: inv dev.up makes them anew.")


@task()
def url(app: App) -> None:
    """Print the addresses of the stack.

    Example: inv dev.url
    """
    _print_addresses(app)


def _print_addresses(app: App) -> None:
    for service, address in app.dev().addresses():
        app.console.data(f"{service}  {address}")


def _services(dev: DevStack, service: str) -> tuple[str, ...]:
    """The one that is named. Raises UsageError for one that there is not."""
    if not service:
        return ()
    dev.require_service(service)
    return (service,)


def collection() -> Collection:
    return Collection(
        "dev", build, down, exec_, logs, makemigrations, migrate, ps, reset, restart, shell, test, up, url
    )
