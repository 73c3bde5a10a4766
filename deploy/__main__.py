"""`windlass`, also `python -m deploy`: the tasks for a folder that is no project yet. In a project, type `inv`."""

from __future__ import annotations

from pathlib import Path

from invoke.collection import Collection
from invoke.program import Program

from deploy.tasks import configured
from deploy.tasks.stack import list_, new


def main() -> None:
    """List the reference stacks, and make repositories from them."""
    root = configured(Collection(Collection("stack", list_, new)), Path.cwd())
    Program(namespace=root, name="Windlass", binary="windlass").run()


if __name__ == "__main__":
    main()
