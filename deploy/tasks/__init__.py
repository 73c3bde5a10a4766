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
from invoke.vendor import yaml

from deploy.model.errors import UsageError
from deploy.model.settings import environment_names, parse_settings
from deploy.tasks import db, dev, env, environment, host, sandbox, stack
from deploy.tasks.app import DEFAULTS

__all__ = ["configured", "namespace"]


def namespace(tasks_file: str) -> Collection:
    """Every task, for the project whose `tasks.py` this is; each environment in its `invoke.yaml` gets a namespace."""
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
    for suffix in ("yaml", "yml"):
        file = root / f"invoke.{suffix}"
        if file.is_file():
            try:
                found = _deploy_of(file)
                parse_settings(found, folder=root.name, source=file.name)
            except UsageError as error:
                raise Exit(f"{error.message}\n→ {error.remedy}", code=error.code) from error
            return found
    return {}


def _deploy_of(file: Path) -> Mapping[str, Any]:
    """What stands under `deploy:`. Raises UsageError where Invoke would end in a traceback."""
    try:
        document = yaml.safe_load(file.read_text())  # type: ignore[no-untyped-call]  # vendored without types
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{file.name} cannot be read: {error}", "mend it there") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise UsageError(f"{file.name} is not a mapping", "write settings as `deploy:` with what belongs to it below")
    found = document.get("deploy", {})
    if not isinstance(found, dict):
        raise UsageError(f"{file.name}: there are no settings under deploy:", "add some, or leave `deploy:` out")
    return found
