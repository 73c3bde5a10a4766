"""A stack's graph as Mermaid, which GitHub, GitLab and many editors draw. Source: mermaid.js.org, "Flowcharts"."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from deploy.model.graph import TIMES, Graph, Node
from deploy.model.kinds import Kind

_SHAPES = {
    Kind.WEB: ("[", "]"),
    Kind.WORKER: ("[[", "]]"),
    Kind.JOB: ("([", "])"),
    Kind.DATA: ("[(", ")]"),
}
_CLASSES = {
    Kind.WEB: "fill:#dbeafe,stroke:#2563eb,color:#111",
    Kind.WORKER: "fill:#fef3c7,stroke:#b45309,color:#111",
    Kind.JOB: "fill:#f3f4f6,stroke:#6b7280,color:#111,stroke-dasharray:4",
    Kind.DATA: "fill:#dcfce7,stroke:#15803d,color:#111",
}


def mermaid(graph: Graph) -> str:
    """The text of a flowchart: ports above, volumes below, services grouped by the networks they are in."""
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    yield "---"
    yield f"title: {json.dumps(graph.title, ensure_ascii=False)}"
    yield "---"
    yield "flowchart TB"
    for node in graph.nodes:
        for number, port in enumerate(node.ports):
            yield f"  {_port(node, number)}>{_quoted(port)}] --> {_id('s', node.name)}"
    for number, (networks, nodes) in enumerate(_by_networks(graph.nodes)):
        yield f"  subgraph networks{number}[{_quoted(_heading(networks))}]"
        yield from (f"    {_service(node)}" for node in nodes)
        yield "  end"
    for edge in graph.edges:
        arrow = "-->" if edge.declared else "-.->"
        yield f"  {_id('s', edge.source)} {arrow} {_id('s', edge.target)}"
    for volume in graph.volumes:
        yield f"  {_id('v', volume)}[/{_quoted(volume)}/]"
    for node in graph.nodes:
        yield from (f"  {_id('s', node.name)} --- {_id('v', volume)}" for volume in node.volumes)
    for kind in dict.fromkeys(node.kind for node in graph.nodes):
        yield f"  classDef {kind} {_CLASSES[kind]}"
    yield "  classDef around fill:none,stroke:#9ca3af"
    around = [_id("v", volume) for volume in graph.volumes]
    around += [_port(node, number) for node in graph.nodes for number in range(len(node.ports))]
    if around:
        yield f"  class {','.join(around)} around"


def _service(node: Node) -> str:
    opening, closing = _SHAPES[node.kind]
    times = f" {TIMES} {node.replicas}" if node.replicas != 1 else ""
    text = f"<b>{node.name}</b>{times}<br/>{node.kind}<br/><small>{node.image}</small>"
    return f"{_id('s', node.name)}{opening}{_quoted(text)}{closing}:::{node.kind}"


def _by_networks(nodes: Iterable[Node]) -> Iterator[tuple[tuple[str, ...], list[Node]]]:
    """Services in the same networks together: groups cannot overlap in a drawing, networks do."""
    groups: dict[tuple[str, ...], list[Node]] = {}
    for node in nodes:
        groups.setdefault(tuple(sorted(node.networks)), []).append(node)
    yield from groups.items()


def _heading(networks: tuple[str, ...]) -> str:
    if not networks:
        return "no network of the stack"
    return f"network{'s' if len(networks) > 1 else ''} {' and '.join(networks)}"


def _port(node: Node, number: int) -> str:
    return f"{_id('p', node.name)}_{number}"


def _id(kind: str, name: str) -> str:
    """An identifier that Mermaid takes: its own words, such as `end`, never stand alone."""
    return f"{kind}_{re.sub(r'[^A-Za-z0-9]', lambda found: f'_{ord(found[0]):x}_', name)}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', "#quot;") + '"'
