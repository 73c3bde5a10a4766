"""What the controller tells of the edges of a cluster: which state is the newest, and which each of them has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

LATE_S = 10
"""An edge asks every second: one that has not asked for so long is not there."""
_WORDS = 3


@dataclass(frozen=True)
class EdgeOnNode:
    """One node's edge, as the controller last heard of it."""

    age_s: int
    state: str
    """The digest of the state it has put in force; empty before its first."""
    trouble: str
    """Why it has not taken a newer one; empty when nothing is wrong."""


@dataclass(frozen=True)
class Edges:
    """The newest state, and every edge that was heard of lately, by the name of its node."""

    newest: str
    nodes: Mapping[str, EdgeOnNode]

    def behind(self, nodes: Iterable[str]) -> Mapping[str, str]:
        """Those of the nodes that have not got the newest state, each with why."""
        return {node: why for node in nodes if (why := self._why(self.nodes.get(node)))}

    def _why(self, edge: EdgeOnNode | None) -> str:
        if edge is None or edge.age_s > LATE_S:
            return "it does not ask for it"
        if edge.trouble:
            return edge.trouble
        return "" if edge.state == self.newest else "it has an older state"


def parse_edges(text: str) -> Edges:
    """From a digest, and lines of a node, seconds, a digest or "-", and what is wrong."""
    newest, *lines = text.splitlines() or [""]
    rows = (line.split(" ", _WORDS) for line in lines)
    return Edges(
        newest,
        {
            row[0]: EdgeOnNode(int(row[1]), row[2].strip("-"), row[3].strip())
            for row in rows
            if len(row) > _WORDS and row[1].isdigit()
        },
    )
