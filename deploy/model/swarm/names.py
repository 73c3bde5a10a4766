"""How the stacks, networks and labels of a project are called on a cluster."""

from __future__ import annotations

import hashlib
import re

RELEASE = "windlass.release"
"""Label of a service: the release that its definition came with."""
RECORDS = "windlass.records."
"""What labels begin with that say who has the records of a project."""
MOST_BYTES = 500_000
"""How large a config or a secret of a cluster may be, in bytes."""


def app_stack(project: str) -> str:
    """The stack of what every release brings, updated in place."""
    return project


def data_stack(project: str) -> str:
    """The stack of what lives on."""
    return f"{project}-data"


def edge_stack(project: str) -> str:
    return f"{project}-edge"


def stacks(project: str) -> tuple[str, ...]:
    return app_stack(project), data_stack(project), edge_stack(project)


def service_name(stack: str, service: str) -> str:
    """The name that a service of a stack has in the whole cluster."""
    return f"{stack}_{service}"


def network(project: str, name: str) -> str:
    """A network of the compose files, made once for all stacks of the project."""
    return f"{project}_{name}"


def data_label(project: str) -> str:
    """The label of the node that keeps the project's volumes and folders."""
    return f"windlass.data.{project}"


def records_label(project: str) -> str:
    """The label of a node that keeps the project's records; its value says which state of them."""
    return f"{RECORDS}{project}"


_LONGEST_OBJECT = 64
"""Characters that the name of a config may have."""


def lock_object(project: str) -> str:
    """The object in the cluster's own store that whoever changes the project makes, and nobody can make twice."""
    name = f"windlass.{project}.lock"
    return (
        name if len(name) <= _LONGEST_OBJECT else f"windlass.{hashlib.sha256(project.encode()).hexdigest()[:40]}.lock"
    )


def is_task(container: str, project: str) -> bool:
    """Whether a container, by its name, is one that the cluster has started for a service of the project."""
    stack = "|".join(re.escape(one) for one in stacks(project))
    return bool(re.fullmatch(rf"({stack})_[^.]+\.([0-9]+|[a-z0-9]{{25}})\.[a-z0-9]{{25}}", container))
