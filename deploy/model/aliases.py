"""YAML whose aliases stand for more than anybody can hold: a few lines of anchors come to billions of values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from deploy.model.errors import UsageError

MOST_NODES = 100_000
"""What a document may come to with every alias written out."""
_FEW = 30  # so many aliases cannot come to much more
_ALIAS = re.compile(r"(?:^|[\s\[,{:-])\*\w")


def has_many_aliases(text: str) -> bool:
    """Whether a document is worth measuring."""
    return sum(1 for _ in _ALIAS.finditer(text)) > _FEW


def measure(node: Any, where: str, known: dict[int, int] | None = None) -> int:
    """How many values a composed document has with every alias written out; each node is looked at once.

    Raises UsageError naming the line where they are more than MOST_NODES, and for an anchor that holds itself.
    """
    known = {} if known is None else known
    if id(node) in known:
        if not known[id(node)]:
            raise UsageError(f"{line_of(node, where)}: an anchor that holds itself", "write out what its alias means")
        return known[id(node)]
    known[id(node)] = 0
    total = 1 + sum(measure(one, where, known) for one in children(node))
    if total > MOST_NODES:
        raise UsageError(
            f"{line_of(node, where)}: more than {MOST_NODES} values with its aliases written out",
            "use no aliases of aliases of aliases",
        )
    known[id(node)] = total
    return total


def children(node: Any) -> Iterator[Any]:
    """The nodes below a node: a mapping holds pairs of them, a list one after the other, a scalar a text."""
    for one in node.value if isinstance(node.value, list) else ():
        yield from one if isinstance(one, tuple) else (one,)


def line_of(node: Any, where: str) -> str:
    return f"{where}, line {node.start_mark.line + 1}"
