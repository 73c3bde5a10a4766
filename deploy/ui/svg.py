"""A stack's graph as an SVG picture that needs nothing but a browser."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import escape

from deploy.model.graph import TIMES, Graph, Node
from deploy.model.kinds import Kind
from deploy.model.layered import Box, Layout, lay_out

MARGIN, GAP_X, GAP_Y = 24, 76, 20
BOX_HEIGHT, PILL_HEIGHT = 68, 26
CHARACTER, SMALL_CHARACTER = 8.6, 6.7
MOST_CHARACTERS = 34
_COLOURS = {
    Kind.WEB: ("#dbeafe", "#2563eb"),
    Kind.WORKER: ("#fef3c7", "#b45309"),
    Kind.JOB: ("#f3f4f6", "#6b7280"),
    Kind.DATA: ("#dcfce7", "#15803d"),
}
_NETWORKS = ("#7c3aed", "#db2777", "#0891b2", "#ea580c", "#4d7c0f", "#1d4ed8", "#b91c1c", "#525252")
_STYLE = (
    "text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;fill:#111827}"
    ".name{font-size:14px;font-weight:600}.small{font-size:11.5px;fill:#374151}.title{font-size:16px;font-weight:600}"
    ".arrow{fill:none;stroke:#4b5563;stroke-width:1.4}.keeps{fill:none;stroke:#9ca3af;stroke-width:1.2}"
)


def svg(graph: Graph) -> str:
    """The picture: published ports on the left, services by who needs whom, volumes on the right, networks as dots."""
    boxes = dict(_boxes(graph))
    arrows = dict(_arrows(graph))
    layout = lay_out(boxes, arrows, gap_x=GAP_X, gap_y=GAP_Y)
    legend = _legend_width(graph)
    width = max(layout.width, legend, len(graph.title) * CHARACTER) + 2 * MARGIN
    height = layout.height + 2 * MARGIN + 66
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}"',
        f'width="{width:.0f}" height="{height:.0f}" role="img">',
        f"<title>{escape(graph.title)}</title><style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8"',
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#4b5563"/></marker></defs>',
        f'<rect width="{width:.0f}" height="{height:.0f}" rx="10" fill="#fff"/>',
        f'<text class="title" x="{MARGIN}" y="{MARGIN + 12}">{escape(graph.title)}</text>',
        f'<g transform="translate({MARGIN} {MARGIN + 32})">',
        *(_arrow(ends, style, boxes, layout) for ends, style in arrows.items()),
        *_drawn(graph, boxes, layout),
        "</g>",
        *_legend(graph, height - MARGIN + 4),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _boxes(graph: Graph) -> Iterator[tuple[str, Box]]:
    for node in graph.nodes:
        for port in node.ports:
            yield _port(node, port), Box(len(port) * SMALL_CHARACTER + 22, PILL_HEIGHT)
        width = max(
            len(node.name) * CHARACTER + 14 * len(node.networks),
            *(len(line) * SMALL_CHARACTER for line in _lines(node)),
        )
        yield f"s {node.name}", Box(max(width + 30, 120), BOX_HEIGHT)
    for volume in graph.volumes:
        yield f"v {volume}", Box(len(volume) * SMALL_CHARACTER + 26, PILL_HEIGHT)


def _arrows(graph: Graph) -> Iterator[tuple[tuple[str, str], str]]:
    """Ends of each line, and how it is drawn."""
    for node in graph.nodes:
        yield from (
            ((_port(node, port), f"s {node.name}"), 'class="arrow" marker-end="url(#tip)"') for port in node.ports
        )
        yield from (((f"s {node.name}", f"v {volume}"), 'class="keeps"') for volume in node.volumes)
    for edge in graph.edges:
        dashes = "" if edge.declared else ' stroke-dasharray="5 4"'
        yield (f"s {edge.source}", f"s {edge.target}"), f'class="arrow" marker-end="url(#tip)"{dashes}'


def _arrow(ends: tuple[str, str], style: str, boxes: Mapping[str, Box], layout: Layout) -> str:
    """A smooth line from the right side of one box to the left side of another, through where it passes columns."""
    (x1, y1), (x2, y2) = layout.places[ends[0]], layout.places[ends[1]]
    one, other = boxes[ends[0]], boxes[ends[1]]
    start = (x1 + one.width, y1 + one.height / 2) if x1 <= x2 else (x1, y1 + one.height / 2)
    end = (x2, y2 + other.height / 2) if x1 <= x2 else (x2 + other.width, y2 + other.height / 2)
    points = [start, *layout.routes[ends], end]
    path = f"M{start[0]:.1f} {start[1]:.1f}"
    for (x, y), (to_x, to_y) in itertools.pairwise(points):
        bend = (to_x - x) / 2
        path += f"C{x + bend:.1f} {y:.1f} {to_x - bend:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
    return f'<path d="{path}" {style}/>'


def _drawn(graph: Graph, boxes: Mapping[str, Box], layout: Layout) -> Iterator[str]:
    for node in graph.nodes:
        for port in node.ports:
            yield _pill(port, _port(node, port), boxes, layout, radius=PILL_HEIGHT / 2)
        yield from _service(node, boxes[f"s {node.name}"], layout.places[f"s {node.name}"], graph.networks)
    for volume in graph.volumes:
        yield _pill(volume, f"v {volume}", boxes, layout, radius=3)


def _service(node: Node, box: Box, place: tuple[float, float], networks: Sequence[str]) -> Iterator[str]:
    x, y = place
    fill, stroke = _COLOURS[node.kind]
    look = f'fill="{fill}" stroke="{stroke}" stroke-width="1.5"'
    if node.kind == Kind.DATA:  # a cylinder, as databases are drawn
        yield (
            f'<path d="M{x:.1f} {y + 7:.1f}v{box.height - 14}a{box.width / 2:.1f} 7 0 0 0 {box.width:.1f} 0'
            f"v{14 - box.height}a{box.width / 2:.1f} 7 0 0 0 {-box.width:.1f} 0a{box.width / 2:.1f} 7 0 0 0 "
            f'{box.width:.1f} 0" {look}/>'
        )
    else:
        dashes = ' stroke-dasharray="6 4"' if node.kind == Kind.JOB else ""
        yield f'<rect x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{box.height}" rx="7" {look}{dashes}/>'
    if node.kind == Kind.WORKER:
        yield f'<path d="M{x + 6:.1f} {y:.1f}v{box.height}" stroke="{stroke}"/>'
    first = y + (28 if node.kind == Kind.DATA else 25)
    yield f'<text class="name" x="{x + 14:.1f}" y="{first:.1f}">{escape(node.name)}</text>'
    for number, line in enumerate(_lines(node)):
        yield f'<text class="small" x="{x + 14:.1f}" y="{first + 15 * (number + 1):.1f}">{escape(line)}</text>'
    for number, network in enumerate(reversed(node.networks)):
        at = x + box.width - 14 - 14 * number
        yield (
            f'<circle cx="{at:.1f}" cy="{first - 5:.1f}" r="5" fill="{_colour(network, networks)}">'
            f"<title>network {escape(network)}</title></circle>"
        )


def _lines(node: Node) -> tuple[str, str]:
    times = f" {TIMES} {node.replicas}" if node.replicas != 1 else ""
    image = node.image if len(node.image) <= MOST_CHARACTERS else f"…{node.image[1 - MOST_CHARACTERS :]}"
    return f"{node.kind}{times}", image


def _pill(text: str, name: str, boxes: Mapping[str, Box], layout: Layout, *, radius: float) -> str:
    (x, y), box = layout.places[name], boxes[name]
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{box.height}" rx="{radius:g}" fill="#f9fafb" '
        f'stroke="#9ca3af"/><text class="small" x="{x + box.width / 2:.1f}" y="{y + 17:.1f}" '
        f'text-anchor="middle">{escape(text)}</text>'
    )


def _legend(graph: Graph, y: float) -> Iterator[str]:
    """The networks' colours."""
    x = float(MARGIN)
    for network in graph.networks:
        yield f'<circle cx="{x + 5:.1f}" cy="{y - 8:.1f}" r="5" fill="{_colour(network, graph.networks)}"/>'
        yield f'<text class="small" x="{x + 16:.1f}" y="{y - 4:.1f}">network {escape(network)}</text>'
        x += _entry_width(network)


def _legend_width(graph: Graph) -> float:
    return sum(_entry_width(network) for network in graph.networks)


def _entry_width(network: str) -> float:
    return (len(network) + 8) * SMALL_CHARACTER + 40


def _colour(network: str, networks: Sequence[str]) -> str:
    return _NETWORKS[networks.index(network) % len(_NETWORKS)]


def _port(node: Node, port: str) -> str:
    return f"p {node.name} {port}"
