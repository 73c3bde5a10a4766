"""What a person types. A project's `tasks.py` is two lines:

from deploy.tasks import namespace
ns = namespace(__file__)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.exceptions import Exit

from deploy.model.errors import UsageError
from deploy.model.settings import environment_names, parse_settings
from deploy.tasks import db, dev, env, environment, host, sandbox, stack
from deploy.tasks.app import DEFAULTS
from deploy.tasks.configuration import keep_secrets_out_of_debugging, say_plainly
from deploy.tasks.declared import declared

__all__ = ["configured", "namespace"]


def namespace(tasks_file: str) -> Collection:
    """Every task, for the project whose `tasks.py` this is; each environment in its `invoke.yaml` gets a namespace."""
    say_plainly()
    keep_secrets_out_of_debugging()
    root = Path(tasks_file).resolve().parent
    own = (db, dev, env, host, sandbox, stack)
    ns = Collection(*(one.collection() for one in own))
    for name in environment_names(_declared(root)):
        ns.add_collection(environment.collection(name))
    return configured(ns, root)


def configured(ns: Collection, root: Path) -> Collection:
    """Tasks that know in which folder they are, and the settings that Invoke is to look for."""
    ns.configure({"windlass_root": str(root), "deploy": dict(DEFAULTS), "ssh_config_path": None})
    return ns


def _declared(root: Path) -> Mapping[str, Any]:
    """What `invoke.yaml` says under `deploy:`, checked. Invoke reads it again, with all other sources.

    Raises Exit with what is wrong and where.
    """
    try:
        source, found = declared(root)
        parse_settings(found, folder=root.name, source=source)
    except UsageError as error:
        raise Exit(f"{error.message}\n→ {error.remedy}", code=error.code) from error
    return found
