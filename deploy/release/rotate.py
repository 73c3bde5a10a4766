"""Giving a database's role another password while a release that knows the one before goes on working."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence

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


@contextlib.contextmanager
def another_password(
    site: Site, login: Login, kept: str, containers: Sequence[str], release: str, console: Console
) -> Iterator[None]:
    """The role has another password from here on; it has the one before again when the block fails.

    Unless `release` is live by then: its containers know the new one. `kept` is what the server is to keep of it;
    `containers` are let in without one while the block runs, from their own addresses.
    """
    if not _ROLE.fullmatch(login.role):
        raise UsageError(f"the role '{login.role}' of {login.service} cannot be handled here", "change it by hand")
    server = Postgres(site.shell, site.layout.data_container(login.service), SERVERS_OWN)
    ((hba, data, before),) = server.query(_ABOUT.format(role=login.role))
    let_in = (site.layout.data_container(login.service), hba, data, release, LONGEST_S, login.role)
    try:
        with console.step(f"Give {login.role} of {login.service} another password") as step:
            site.shell.run(site.guarded(site.bare("let-in.sh", *let_in, *containers)))
            _alter(server, login, kept)
            step.result = f"{len(containers)} containers of the release before are let in without one meanwhile"
        yield
    except BaseException:
        _put_back(site, server, login, before, release, console)
        raise
    finally:
        with contextlib.suppress(DeployError):  # it ends by itself
            site.shell.run(site.bare("let-in.sh", *let_in))


def _alter(server: Postgres, login: Login, kept: str) -> None:
    literal = f"'{kept}'" if kept else "NULL"
    server.execute(f'ALTER ROLE "{login.role}" PASSWORD {literal};')


def _put_back(site: Site, server: Postgres, login: Login, before: str, release: str, console: Console) -> None:
    try:
        live = site.facts().live
        if live is not None and live.id == release:
            return
        _alter(server, login, before)
    except DeployError as error:
        console.warn(
            f"{login.role} of {login.service} may have its new password still ({error.message}) → the command again, "
            "or by hand: ALTER ROLE"
        )
