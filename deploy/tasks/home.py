"""Where the database is that `db.upgrade` is about, and how services are started there: here, or on a host."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime

from deploy.data.find import Running, look
from deploy.data.home import Home
from deploy.data.repository import Repository
from deploy.engine.dev import DevStack
from deploy.engine.health import start
from deploy.model.command import Command
from deploy.model.errors import DeployError, UsageError
from deploy.model.kinds import Kind
from deploy.model.settings import Engine
from deploy.model.stack import Service
from deploy.tasks.app import App
from deploy.tasks.place import have_age, place_of
from deploy.tasks.swarm.reach import changing, require_home
from deploy.ui import Step


@contextlib.contextmanager
def home_of(app: App, env: str, host: list[str]) -> Iterator[Home]:
    """The database services an invocation is about, as the checkout has them."""
    with place_of(app, env, host) as place:
        site = place.site
        if site is None:
            have_age(app, place)
            yield Here(app.dev(), place.repository)
            return
        from deploy.release.lock import require_thawed
        from deploy.release.upgrade import There

        live = site.first_look.live
        if live is None:
            raise UsageError(f"{place.where}: no release is live there", place.start)
        require_thawed(site.first_look)
        have_age(app, place)
        prepared = app.prepare(place.environment, site, datetime.now(UTC))
        if place.environment.engine != Engine.SWARM:
            yield There(site, prepared, live, app.shell(), app.console, place.paused)
            return
        from deploy.release.swarm.upgrade import InCluster

        with changing(app, place.environment, host) as (members, lead):
            require_home(place.environment, members, lead, "db.upgrade")
            home = InCluster(lead.site, prepared, live, app.shell(), app.console, place.paused)
            yield home.reached_by(members, lead)


class Here(Home):
    """The development stack."""

    release = ""
    words = ""
    tells_users = False

    def __init__(self, dev: DevStack, repository: Repository) -> None:
        self._dev = dev
        self.project = dev.compose.name
        self.stack = dev.stack
        self.local = dev.compose.shell
        self.repository = repository
        self.data_projects = (dev.compose.name,)

    def obtain(self, service: Service) -> str:
        self._dev.obtain([service])
        if service.build is None:
            return service.image
        self._dev.build([service.name])
        return service.image or f"{self.project}-{service.name}"

    def bring(self, image: str, step: Step) -> None:
        step.result = f"{image} is here"

    def changing(self, purpose: str) -> AbstractContextManager[None]:  # noqa: ARG002  # whoever works here knows
        return nullcontext()

    def paused(self) -> AbstractContextManager[None]:
        return nullcontext()

    def apps(self) -> tuple[str, ...]:
        return tuple(one.id for one in self._app() if one.running)

    def start(self, service: Service, step: Step) -> None:
        self._up(self._dev.compose.command, service, step)

    def start_before(self, service: Service, image: str, step: Step) -> None:
        overlay = {"services": {service.name: {"image": image}}}
        self._up(self._dev.compose.command.option("--file", "-"), service, step, json.dumps(overlay).encode())

    def start_apps(self, apps: Sequence[str], step: Step) -> None:
        running = {one.service for one in self._app() if one.id in apps}
        services = [one for one in self.stack.app if one.name in running]
        if services:
            start(
                self.shell,
                Command("docker", "start", *apps),
                self._dev.compose.command,
                self.project,
                [one.name for one in services],
                jobs=[one.name for one in services if one.kind == Kind.JOB],
                ends=[one.name for one in services if one.may_end],
                what="what uses the database",
                step=step,
            )
        step.result = ", ".join(one.name for one in services) or "nothing else ran"

    def _app(self) -> Sequence[Running]:
        data = {one.name for one in self.stack.data}
        return [one for one in look(self.shell, self.data_projects) if one.service not in data]

    def _up(self, compose: Command, service: Service, step: Step, overlay: bytes = b"") -> None:
        up = compose.then("up", "--detach", "--no-build", "--no-deps", "--wait", service.name)
        done = self.shell.run(up, stdin=overlay, on_line=step.show, check=False)
        if not done.ok:
            last = compose.then("logs", "--tail", 20, "--no-color", service.name)
            logs = self.shell.run(last, stdin=overlay, check=False).stdout
            raise DeployError(f"{service.name} is not healthy", details=f"{logs}\n{done.stderr}")
