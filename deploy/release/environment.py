"""The environment of a release on a host, and the env file that may lie beside it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.model.errors import UsageError
from deploy.model.release import ReleaseRecord
from deploy.model.stack import unescaped
from deploy.release.site import Site


def live_environments(site: Site) -> Mapping[str, Mapping[str, str]]:
    """What the containers of the live release and of its data services are given: service to variables and values.

    Holds the values of secrets. Raises UsageError where no release is live.
    """
    found = {}
    for name, service in definitions(site, require_live(site)).items():
        given = service.get("environment") or {}
        found[name] = {key: unescaped(str(value)) for key, value in given.items() if value is not None}
    return found


def definitions(site: Site, live: ReleaseRecord) -> Mapping[str, Mapping[str, Any]]:
    """The definitions of a release's services and of the data services, as compose has them there."""
    printed = site.shell.run(site.bare("definitions.sh", str(site.layout.root), live.id, 0)).stdout
    return dict(_services(printed))


def require_live(site: Site) -> ReleaseRecord:
    """The live release. Raises UsageError where there is none."""
    live = site.first_look.live
    if live is None:
        raise UsageError(f"{site.shell.name}: no release is live there", "deploy one first")
    return live


def _services(printed: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for line in printed.splitlines():
        what, _, content = line.partition(" ")
        if what not in {"release", "data", "stack"}:
            continue
        try:
            document: Mapping[str, Any] = json.loads(base64.b64decode(content))
        except ValueError:  # somebody has rewritten it by hand
            continue
        yield from (document.get("services") or {}).items()


def left_env_file(site: Site) -> str:
    """The env file that somebody has left on the host; empty where there is none."""
    return site.shell.run(site.bare("env-read.sh", str(site.layout.root))).stdout


def leave_env_file(site: Site, text: str) -> None:
    """Leave one there, for the user's eyes alone; the one before is kept beside it."""
    root = str(site.layout.root)
    site.shell.run(site.bare("root.sh", root))
    site.run("env-write.sh", root, stdin=text.encode())
