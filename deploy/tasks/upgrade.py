"""`db.upgrade`: a PostgreSQL service to the major version that the compose file names, and back."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping

from deploy.data.clusters import cluster_facts
from deploy.data.find import Running, one_database
from deploy.data.home import Home
from deploy.data.postgres import Postgres
from deploy.data.servers import Old, require_place, wanted_server
from deploy.data.upgrade import Upgrade, is_table
from deploy.engine.clusters import image_major
from deploy.model.backup import Content
from deploy.model.command import Command
from deploy.model.errors import DeployError, UsageError
from deploy.model.settings import LOCAL
from deploy.model.stack import Service
from deploy.shell.packaged import packaged
from deploy.tasks.app import App
from deploy.tasks.base import YES_HELP, task
from deploy.tasks.home import home_of
from deploy.tasks.place import PLACE_HELP
from deploy.tasks.taking_back import back_up, forget, kept_of, put, take_back
from deploy.ui.units import count, duration, size


@task(
    iterable=("host",),
    help=PLACE_HELP
    | {
        "to": "the version that the compose file must name: a check, it needs not be given",
        "service": "the database service, where the stack has more than one",
        "back": "put the data of before the upgrade back, for the old image in the compose file",
        "done": "remove the data of before the upgrade, which is kept until then",
        "yes": YES_HELP,
    },
)
def upgrade(
    app: App,
    host: list[str],
    env: str = LOCAL,
    to: str = "",
    service: str = "",
    back: bool = False,
    done: bool = False,
    yes: bool = False,
) -> None:
    """Bring a database to the PostgreSQL version that the compose file names, with everything that is in it.

    Name the new image in the compose file first (image: postgres:17). Then this makes a new server beside the old one
    and tries the schema there; shows users the maintenance page, copies everything, compares every row, and puts the
    new data in the place of the old, which is kept until --done. --back puts it back.
    Example: inv db.upgrade --env prod --host app1
    """
    if back and done:
        raise UsageError("--back and --done contradict each other", "leave one of them out")
    with home_of(app, env, host) as home:
        servers = (one for one in home.stack.services.values() if not one.receives)
        name = one_database(((one.name, one.runs) for one in servers), service)
        wanted = home.stack.services[name]
        if done:
            forget(app, home, wanted, yes=yes)
        elif back:
            take_back(app, home, wanted, yes=yes)
        else:
            _upgrade(app, home, wanted, to, yes=yes)


def _upgrade(app: App, home: Home, service: Service, to: str, *, yes: bool) -> None:
    with app.console.step("Look at what runs") as step:
        running = _running(home, service)
        server = Postgres(home.shell, running.id)
        facts = cluster_facts(server)
        step.result = f"{service.name} is PostgreSQL {facts.version}"
    if facts.refusals:
        raise DeployError(
            f"{service.name} cannot be upgraded: {'; '.join(facts.refusals)}", "mend that first; nothing was changed"
        )
    image = home.obtain(service)
    major = image_major(home.local, image)
    _require_newer(service, facts.major, major, to)
    home.require_only(service)
    mounted = require_place(home.local, service, home.stack.document, image, running)
    others = tuple(one for one in running.mounts if one != mounted)
    old = Old(server, running.image, mounted, others, facts, home.server_of(running))
    up = Upgrade(home.shell, home.project, old, wanted_server(service, image))
    used = up.require_room()
    app.console.say(
        f"{service.name} on {home.shell.name}: PostgreSQL {facts.version} → {major}, "
        f"{count(len(facts.databases), 'database')}, {size(used)}"
    )
    app.console.note(f"what uses it is {home.meanwhile} while everything is copied and compared")
    if facts.slots:
        app.console.warn(f"replication slots end with the old server: {facts.slots}")
    consequence = f"this stops {service.name} on {home.shell.name} until its data is copied"
    app.console.confirm(f"Upgrade {service.name} to PostgreSQL {major}?", yes=yes, consequence=consequence)
    with app.console.step(f"Bring {image}") as step:
        home.bring(image, step)
    with home.changing(f"upgrading {service.name} to PostgreSQL {major}"):
        backup = back_up(app, home, service, running)
        with home.repository.locked(f"upgrade of {service.name}"):
            home.shell.run(packaged("data", "scratch.sh", "sweep", home.project))
            seconds = _replace(app, home, service, up)
    paused = "users saw the maintenance page" if home.tells_users else "it was away"
    app.console.good(
        f"{service.name} on {home.shell.name} is PostgreSQL {major} with everything that was in it; "
        f"{paused} for {duration(seconds)}."
    )
    app.console.say(
        f"The data of before is kept in the volume {old.kept}, and in the backup {backup.id}. Next: check the "
        f"application; inv db.upgrade --done{home.words} removes the volume. The way back: the old image into the "
        f"compose file, then inv db.upgrade --back{home.words}; what is written from now on is lost by that."
    )


def _running(home: Home, service: Service) -> Running:
    found = home.container(service.name)
    if found is None or not found.running:
        kept = kept_of(home, service)
        way = f"; {', '.join(kept)} has data of before an upgrade: inv db.upgrade --back{home.words}" if kept else ""
        raise UsageError(
            f"{service.name} does not run on {home.shell.name}: only a server that runs can be upgraded",
            f"put its old image back into the compose file and start it, then name the new image again{way}",
        )
    return found


def _require_newer(service: Service, old: int, new: int | None, to: str) -> None:
    """Raises UsageError that leads to the compose file where that does not name a newer version."""
    asked = to or str(old + 1)
    where = f"services.{service.name}.image in the compose file"
    if new is None:
        raise UsageError(
            f"{service.runs}: it cannot be told which PostgreSQL that is", f"name another image at {where}"
        )
    if to and to != str(new):
        raise UsageError(
            f"--to {to}: the compose file names {service.runs}, which is PostgreSQL {new}",
            f"name the image of {to} at {where}, then run this again",
        )
    if new == old:
        raise UsageError(
            f"{service.name} is PostgreSQL {old}, and so is {service.runs} in the compose file",
            f"name the newer image first, at {where} (postgres:{asked} for example), then run this again",
        )
    if new < old:
        raise UsageError(
            f"{service.name} is PostgreSQL {old}, and {service.runs} in the compose file is {new}: it cannot read that",
            f"inv db.upgrade --back puts the data of before an upgrade back; else name PostgreSQL {old} at {where}",
        )


def _replace(app: App, home: Home, service: Service, up: Upgrade) -> float:
    """The server by the new one, with all of its data; for how many seconds users had to wait."""
    console = app.console
    apps = home.apps()
    with contextlib.ExitStack() as beside:
        with console.step("Make a new server beside it, and try its schema") as step:
            beside.enter_context(up.beside(step))
        began = time.monotonic()
        with home.paused():
            try:
                with up.alone(apps, console):
                    with console.step("Copy everything, and compare every row") as step:
                        contents = up.copy(step)
                    with console.step("Put the new data in the place of the old") as step:
                        up.switch()
                        step.result = f"the old is kept as {up.old.kept}"
                    _start_new(app, home, service, up, contents)
                    up.stand()
            except BaseException:
                with contextlib.suppress(DeployError), console.step("See that everything is what it was") as step:
                    home.start_apps(apps, step)
                raise
            with console.step("Start what uses it") as step:
                home.start_apps(apps, step)
        return time.monotonic() - began


def _start_new(
    app: App, home: Home, service: Service, up: Upgrade, contents: Mapping[str, Mapping[str, Content]]
) -> None:
    """Start the service on its new data. When that does not become healthy, the old server is what it was."""
    console = app.console
    try:
        with console.step(f"Start {service.name}") as step:
            home.start(service, step)
            step.result = _looked_at(home, service, contents)
    except BaseException as error:
        if not home.replaced(up.old.kept_by):
            raise  # whoever keeps us alone with the old server starts it again
        now = "everything is what it was before the upgrade"
        with console.step(f"Put {service.name} back to what it was") as step:
            put(home, service, up.old.kept, up.old.volume, up.old.image)
            try:
                home.start_before(service, up.old.image, step)
                home.shell.run(Command("docker", "volume", "rm", up.old.kept), check=False)
            except DeployError as again:
                now = f"the data is what it was before the upgrade, and its server is not well either: {again.message}"
        if isinstance(error, DeployError):
            raise DeployError(f"{error.message}; {now}", error.remedy, details=error.details) from error
        raise


def _looked_at(home: Home, service: Service, contents: Mapping[str, Mapping[str, Content]]) -> str:
    """What the service says of itself. Raises DeployError where a table is not there any more."""
    running = home.container(service.name)
    if running is None:
        raise DeployError(f"{service.name} does not run")
    server = Postgres(home.shell, running.id)
    for name, held in contents.items():
        found = server.tables(name)
        if gone := [one for one in held if is_table(one) and one not in found]:
            raise DeployError(f"{service.name}/{name} lacks {', '.join(gone)}")
    return f"PostgreSQL {server.about().server_version}"
