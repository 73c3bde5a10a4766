"""The reference stacks as tests meet them: what differs between them, for tests that are the same for all."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.load import Request
from tests.project import commit, copy_of_this_checkout


@dataclass(frozen=True)
class Reference:
    """A reference stack."""

    name: str
    page: str
    """Path of the page in production."""
    shows: str
    """A text that the page has."""
    port: int
    """Where production is published on a host."""
    dev_ports: tuple[str, ...]
    """Variables with the ports that development publishes, the page's first."""
    requests: tuple[Request, ...]
    """What users ask for all along: reads and writes."""
    change: tuple[str, str, str]
    """A change of the application that everybody sees: file, old text, new text."""
    changed: tuple[str, str]
    """Where it is seen: a path, and what its answer then contains."""
    count: str
    """SQL for the number of rows that users wrote."""
    destroy: str
    """SQL that loses them."""
    database: str = "db"
    """The service."""


def clone_of(reference: Reference, folder: Path) -> Path:
    """A fresh clone of this checkout that works on a stack."""
    root = copy_of_this_checkout(folder)
    (root / "invoke.yaml").write_text(f"deploy:\n  stack: {reference.name}\n")
    commit(root, f"Work on {reference.name}")
    return root


def sql(container: str, statement: str, *, inside: tuple[str, ...] = ()) -> str:
    """What Postgres in a container says. `inside` leads to the engine that has it; none is this machine's."""
    connect = 'psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -Atqc "$1"'
    command = [*inside, "docker", "exec", container, "sh", "-c", connect, "sh", statement]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
