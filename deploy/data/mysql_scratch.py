"""A server of MariaDB or MySQL that nobody else uses, and its own look at what was restored into it."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

from deploy.data.mysql import Mysql
from deploy.data.mysql_text import qualified
from deploy.data.store import Restoring
from deploy.model.backup import Part, StoreKind
from deploy.model.errors import DeployError
from deploy.shell.packaged import packaged


@contextlib.contextmanager
def scratch_mysql(part: Part, image: str, restoring: Restoring) -> Iterator[Mysql]:
    """A server of an image, with the accounts of the time of a part: definers of views are among them.

    On no network, and gone afterwards with its data.
    """
    shell, manifest = restoring.repository.shell, restoring.backup
    name = f"windlass-scratch-{secrets.token_hex(4)}"
    restoring.step.show("starting a server of its own")
    try:
        done = shell.run(packaged("data", "scratch.sh", "mysql", manifest.project, name, image), check=False)
        if not done.ok:
            raise DeployError("no server could be started to restore into", details=done.stderr)
        server = Mysql(shell, name)
        for users in manifest.parts:
            if users.kind == StoreKind.USERS and users.service == part.service:
                shell.run(restoring.feed(users, server.program("client", "--force")), check=False)
        yield server
    finally:
        shell.run(packaged("data", "scratch.sh", "remove", name))


def check_tables(server: Mysql, database: str, title: str) -> None:
    """The server's own look at every table and index, and at what views refer to. Raises DeployError."""
    found = server.objects(database)
    names = (*found.tables, *found.views)
    if not names:
        return
    checked = server.query(f"CHECK TABLE {', '.join(qualified(database, name) for name in names)} EXTENDED")
    damage = [f"{row[0]}: {row[3]}" for row in checked if row[2].lower() in {"error", "warning"}]
    if damage:
        raise DeployError(f"{title}: CHECK TABLE found damage", details="\n".join(damage))
