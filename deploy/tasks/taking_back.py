"""`db.upgrade --back` and `--done`: what becomes of the data of before an upgrade, which is kept until then."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime

from deploy.data.backup import Origin, take_backup
from deploy.data.find import Running
from deploy.data.home import Home
from deploy.data.postgres import Postgres
from deploy.data.postgres_store import PostgresStore
from deploy.data.servers import kept_volume
from deploy.data.upgrade import put_back
from deploy.engine.clusters import image_major
from deploy.model.backup import Label, Manifest
from deploy.model.clusters import volume_of
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError, UsageError
from deploy.model.stack import Service
from deploy.shell.packaged import packaged
from deploy.tasks.app import App


def back_up(app: App, home: Home, service: Service, running: Running) -> Manifest:
    """A backup of the server as it is now, before anything is done to it."""
    from deploy.release.prepare import whoami

    store = PostgresStore(Postgres(home.shell, running.id), service.name, running.image)
    origin = Origin(home.project, home.release, Label.PRE_UPGRADE, whoami())
    with app.console.step(f"Back up {service.name}") as step:
        return take_backup([store], home.repository, origin, datetime.now(UTC), step)


def put(home: Home, service: Service, kept: str, live: str, image: str) -> None:
    """Make a service's volume hold what is kept in another one."""
    home.stop(service.name)
    put_back(home.shell, image, kept, live)


def kept_of(home: Home, service: Service) -> Sequence[str]:
    """Volumes with data of before an upgrade."""
    live = volume_of(service, home.stack.document)
    if not live:
        return ()
    return home.shell.run(packaged("data", "cluster.sh", "list", kept_volume(live, 0)[:-1])).stdout.split()


def take_back(app: App, home: Home, service: Service, *, yes: bool) -> None:
    """Put the data of before an upgrade back, for the old image in the compose file."""
    kept = kept_of(home, service)
    if not kept:
        raise UsageError(
            f"there is no data of before an upgrade of {service.name} on {home.shell.name}",
            f"inv db.backups{home.words} lists backups, and those labelled pre-upgrade",
        )
    image = home.obtain(service)
    major = image_major(home.local, image)
    live = volume_of(service, home.stack.document)
    wanted = kept_volume(live, major or 0)
    if wanted not in kept:
        raise UsageError(
            f"the compose file names {service.runs}, PostgreSQL {major}; kept is {', '.join(kept)}",
            f"put the image of before the upgrade back at services.{service.name}.image in the compose file first",
        )
    home.require_only(service)
    running = home.container(service.name)
    app.console.warn(
        f"what was written to {service.name} since its upgrade is not in {wanted}: only a backup has it then"
    )
    app.console.confirm(
        f"Put {wanted} in the place of {service.name}'s data on {home.shell.name}?",
        yes=yes,
        consequence=f"this replaces {service.name}'s data on {home.shell.name} by that of before its upgrade",
    )
    with app.console.step(f"Bring {image}") as step:
        home.bring(image, step)
    with home.changing(f"taking the upgrade of {service.name} back"):
        backup = back_up(app, home, service, running).id if running and running.running else ""
        apps = home.apps()
        with home.repository.locked(f"upgrade of {service.name} taken back"), home.paused():
            try:
                if apps:
                    with app.console.step("Stop what uses it") as step:
                        home.shell.run(Command("docker", "stop", *apps), on_line=step.show)
                with app.console.step(f"Put the data of PostgreSQL {major} back"):
                    put(home, service, wanted, live, image)
            except BaseException:
                with contextlib.suppress(CommandError):
                    if running and running.running:
                        home.resume(service.name)
                if apps:
                    home.shell.run(Command("docker", "start", *apps), check=False)
                raise
            with app.console.step(f"Start {service.name}") as step:
                home.start(service, step)
            with app.console.step("Start what uses it") as step:
                home.start_apps(apps, step)
    app.console.good(f"{service.name} on {home.shell.name} is PostgreSQL {major} again, as it was before its upgrade.")
    since = f" What was written since is in {backup}, for a server of the newer version." if backup else ""
    app.console.say(f"{wanted} is still there.{since} Next: inv db.upgrade --done{home.words} removes {wanted}.")


def forget(app: App, home: Home, service: Service, *, yes: bool) -> None:
    """Remove the data of before an upgrade."""
    kept = kept_of(home, service)
    if not kept:
        app.console.good(f"There is nothing to remove: no data of before an upgrade of {service.name} is kept.")
        return
    names = ", ".join(kept)
    app.console.confirm(
        f"Remove {names} on {home.shell.name}?",
        yes=yes,
        consequence=f"this removes {names}: there is no --back after that",
    )
    try:
        home.shell.run(Command("docker", "volume", "rm", *kept))
    except CommandError as error:
        raise DeployError(f"{names} could not be removed", details=error.stderr) from error
    app.console.good(f"Removed {names}. The backups are kept: inv db.backups{home.words} lists them.")
