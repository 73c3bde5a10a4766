"""What a person types. A project's `tasks.py` is two lines:

from deploy.tasks import namespace
ns = namespace(__file__)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.vendor import yaml

from deploy.model.settings import environment_names
from deploy.tasks import db, dev, environment, host, sandbox
from deploy.tasks.app import DEFAULTS

__all__ = ["namespace"]


def namespace(tasks_file: str) -> Collection:
    """Every task, for the project whose `tasks.py` this is; each environment in its `invoke.yaml` gets a namespace."""
    root = Path(tasks_file).resolve().parent
    ns = Collection(db.collection(), dev.collection(), host.collection(), sandbox.collection())
    for name in environment_names(_declared(root)):
        ns.add_collection(environment.collection(name))
    ns.configure({"windlass_root": str(root), "deploy": dict(DEFAULTS), "ssh_config_path": None})
    return ns


def _declared(root: Path) -> Mapping[str, Any]:
    """What `invoke.yaml` says under `deploy:`, for its names only: Invoke reads it again with all other sources."""
    for suffix in ("yaml", "yml"):
        file = root / f"invoke.{suffix}"
        if file.is_file():
            document = yaml.safe_load(file.read_text()) or {}  # type: ignore[no-untyped-call]  # vendored without types
            found = document.get("deploy") if isinstance(document, dict) else None
            return found if isinstance(found, dict) else {}
    return {}
