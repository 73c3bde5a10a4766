"""Giving a database's role another password while containers that know the one before go on working."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deploy.data.postgres import SERVERS_OWN, Postgres
from deploy.model.errors import DeployError, UsageError
from deploy.model.facts import Facts
from deploy.model.initial import Login
from deploy.model.scram import verifier
from deploy.release.site import Site
from deploy.ui import Console

LONGEST_S = 900
"""After this the release before is let in no more without its password, whatever has become of the change."""
_ABOUT = """
    SELECT current_setting('hba_file'), current_setting('data_directory'), coalesce(rolpassword, '')
    FROM pg_catalog.pg_authid WHERE rolname = '{role}'
"""
_ROLE = re.compile(r"[A-Za-z0-9_.-]+")


def waiting(facts: Facts, site: Site, services: Sequence[str]) -> tuple[str, ...]:
    """Containers of the live release and of others that run, which have the password of the moment."""
    projects = {site.layout.release_project(release) for release in facts.releases}
    return tuple(
        one.name for one in facts.containers if one.project in projects and one.running and one.service in services
    )


def kept_of(password: str) -> str:
    """What a server keeps of a password. Raises UsageError for one that it would have to normalize."""
    try:
        return verifier(password)
    except ValueError as error:
        raise UsageError(
            "the password of a database is not printable ASCII", "use letters, digits and signs"
        ) from error


@dataclass(frozen=True)
class Rotated:
    """A role that has another password for a while, and may get the one before again."""

    site: Site
    server: Postgres
    login: Login
    before: str
    """What the server kept of the password before."""
    words: tuple[str | int, ...]
    """Of `let-in.sh`, without who is let in."""

    def let_in(self, containers: Sequence[str]) -> None:
        """Let containers in from their own addresses without a password, and nobody else any more."""
        self.site.shell.run(self.site.guarded(self.site.bare("let-in.sh", *self.words, *containers)))

    def give(self, kept: str) -> None:
        literal = f"'{kept}'" if kept else "NULL"
        self.server.execute(f'ALTER ROLE "{self.login.role}" PASSWORD {literal};')

    def turn_back(self, containers: Sequence[str]) -> None:
        """The password before, with `containers` let in, whichever of the two they know."""
        self.let_in(containers)
        self.give(self.before)


@contextlib.contextmanager
def another_password(
    site: Site,
    login: Login,
    kept: str,
    containers: Sequence[str],
    release: str,
    console: Console,
    *,
    container: str = "",
    longest_s: int = LONGEST_S,
) -> Iterator[Rotated]:
    """The role has another password from here on; it has the one before again when the block fails.

    Unless `release` is live by then: its containers know the new one. `kept` is what the server is to keep of it;
    `containers` are let in without one while the block runs, from their own addresses. `container` is the server's,
    where it has another name than one host gives it.
    """
    if not _ROLE.fullmatch(login.role):
        raise UsageError(f"the role '{login.role}' of {login.service} cannot be handled here", "change it by hand")
    container = container or site.layout.data_container(login.service)
    server = Postgres(site.shell, container, SERVERS_OWN)
    ((hba, data, before),) = server.query(_ABOUT.format(role=login.role))
    rotated = Rotated(site, server, login, before, (container, hba, data, release, longest_s, login.role))
    try:
        with console.step(f"Give {login.role} of {login.service} another password") as step:
            rotated.let_in(containers)
            rotated.give(kept)
            step.result = f"{len(containers)} containers of the release before are let in without one meanwhile"
        yield rotated
    except BaseException:
        _put_back(rotated, release, console)
        raise
    finally:
        with contextlib.suppress(DeployError):  # it ends by itself
            site.shell.run(site.bare("let-in.sh", *rotated.words))


def _put_back(rotated: Rotated, release: str, console: Console) -> None:
    login = rotated.login
    try:
        live = rotated.site.facts().live
        if live is not None and live.id == release:
            return
        rotated.give(rotated.before)
    except DeployError as error:
        console.warn(
            f"{login.role} of {login.service} may have its new password still ({error.message}) → the command again, "
            "or by hand: ALTER ROLE"
        )
