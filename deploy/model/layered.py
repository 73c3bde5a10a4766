"""Placing the boxes of a directed graph in columns, so that its arrows run from left to right and cross little.

The steps of Sugiyama, Tagawa and Toda (1981): ranks, stand-ins where an arrow passes a column, order, places.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

SWEEPS = 12
Name = str


@dataclass(frozen=True)
class Box:
    """What is placed: its size in pixels."""

    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """Where everything is, in pixels from the top left corner."""

    places: Mapping[Name, tuple[float, float]]
    """The top left corner of each box."""
    routes: Mapping[tuple[Name, Name], tuple[tuple[float, float], ...]]
    """For each arrow the points at which it enters and leaves the columns between its ends."""
    width: float
    height: float


def lay_out(boxes: Mapping[Name, Box], arrows: Iterable[tuple[Name, Name]], *, gap_x: float, gap_y: float) -> Layout:
    """Places for boxes; the arrows' order does not matter, an arrow that closes a circle is drawn backwards."""
    edges = tuple(dict.fromkeys((one, other) for one, other in arrows if one != other))
    ranks = _ranks(boxes, edges)
    sizes, chains = _with_stand_ins(boxes, edges, ranks)
    neighbours = _neighbours(chains)
    columns = _ordered(_columns(sizes, chains, ranks), neighbours)
    lefts, width = _lefts(columns, sizes, gap_x)
    tops = _tops(columns, sizes, neighbours, gap_y)
    places = {name: (lefts[number], tops[name]) for number, column in enumerate(columns) for name in column}
    routes = {}
    for edge, chain in chains.items():
        points = []
        for name in chain[1:-1]:
            left, y = lefts[ranks[name]], tops[name] + sizes[name].height / 2
            right = left + _width(columns[ranks[name]], sizes)
            points += [(left, y), (right, y)] if ranks[edge[0]] <= ranks[edge[1]] else [(right, y), (left, y)]
        routes[edge] = tuple(points)
    height = max((tops[name] + sizes[name].height for name in sizes), default=0)
    return Layout({name: places[name] for name in boxes}, routes, width, height)


def _ranks(names: Iterable[Name], edges: Sequence[tuple[Name, Name]]) -> dict[Name, int]:
    """The longest way to each box, arrows that would close a circle left out; what nothing leads to beside its next."""
    names = list(names)
    forward: list[tuple[Name, Name]] = []
    for edge in edges:
        if not _reaches(edge[1], edge[0], forward):
            forward.append(edge)
    ranks = dict.fromkeys(names, 0)
    for _ in names:
        for one, other in forward:
            ranks[other] = max(ranks[other], ranks[one] + 1)
    led_to = {other for _, other in forward}
    for name in names:
        following = [ranks[other] for one, other in forward if one == name]
        if following and name not in led_to:
            ranks[name] = min(following) - 1
    return ranks


def _reaches(start: Name, end: Name, edges: Sequence[tuple[Name, Name]]) -> bool:
    seen, left = {start}, [start]
    while left:
        here = left.pop()
        for one, other in edges:
            if one == here and other not in seen:
                seen.add(other)
                left.append(other)
    return end in seen


def _with_stand_ins(
    boxes: Mapping[Name, Box], edges: Iterable[tuple[Name, Name]], ranks: dict[Name, int]
) -> tuple[dict[Name, Box], dict[tuple[Name, Name], tuple[Name, ...]]]:
    """Every arrow as a chain of boxes in neighbouring columns. Stand-ins get their ranks."""
    sizes = dict(boxes)
    chains = {}
    for one, other in edges:
        low, high = sorted((ranks[one], ranks[other]))
        between = [f"{one}\0{other}\0{rank}" for rank in range(low + 1, high)]
        for rank, name in zip(range(low + 1, high), between, strict=True):
            sizes[name], ranks[name] = Box(0, 8), rank
        chains[one, other] = (one, *(between if ranks[one] <= ranks[other] else reversed(between)), other)
    return sizes, chains


def _neighbours(chains: Mapping[tuple[Name, Name], Sequence[Name]]) -> dict[Name, list[Name]]:
    found: dict[Name, list[Name]] = {}
    for chain in chains.values():
        for one, other in itertools.pairwise(chain):
            found.setdefault(one, []).append(other)
            found.setdefault(other, []).append(one)
    return found


def _columns(
    sizes: Mapping[Name, Box], chains: Mapping[tuple[Name, Name], Sequence[Name]], ranks: Mapping[Name, int]
) -> list[list[Name]]:
    """Boxes by rank; in each column first those that others lead to, so that what stands alone comes last."""
    tied = {name for chain in chains.values() for name in chain}
    columns: list[list[Name]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for name in sorted(sizes, key=lambda name: name not in tied):
        columns[ranks[name]].append(name)
    return columns


def _ordered(columns: list[list[Name]], neighbours: Mapping[Name, Sequence[Name]]) -> list[list[Name]]:
    """The order with the fewest crossings among those that sweeps over the columns come by."""
    best, fewest = columns, _crossings(columns, neighbours)
    current = columns
    for sweep in range(SWEEPS):
        current = _swept(current, neighbours, backwards=bool(sweep % 2))
        if (crossings := _crossings(current, neighbours)) < fewest:
            best, fewest = current, crossings
    return best


def _swept(
    columns: Sequence[Sequence[Name]], neighbours: Mapping[Name, Sequence[Name]], *, backwards: bool
) -> list[list[Name]]:
    """Each column sorted by the mean place of its boxes' neighbours in the column before it."""
    result = [list(column) for column in columns]
    numbers = range(len(result) - 2, -1, -1) if backwards else range(1, len(result))
    for number in numbers:
        beside = result[number + 1 if backwards else number - 1]
        at = {name: place for place, name in enumerate(beside)}
        own = {name: float(place) for place, name in enumerate(result[number])}

        def mean(name: Name, at: Mapping[Name, int] = at, own: Mapping[Name, float] = own) -> float:
            places = [at[other] for other in neighbours.get(name, ()) if other in at]
            return sum(places) / len(places) if places else own[name]

        result[number].sort(key=mean)
    return result


def _crossings(columns: Sequence[Sequence[Name]], neighbours: Mapping[Name, Sequence[Name]]) -> int:
    total = 0
    for left, right in itertools.pairwise(columns):
        at = {name: place for place, name in enumerate(right)}
        lines = [
            (place, at[other]) for place, name in enumerate(left) for other in neighbours.get(name, ()) if other in at
        ]
        total += sum(
            (one[0] - other[0]) * (one[1] - other[1]) < 0
            for number, one in enumerate(lines)
            for other in lines[number + 1 :]
        )
    return total


def _lefts(columns: Sequence[Sequence[Name]], sizes: Mapping[Name, Box], gap: float) -> tuple[list[float], float]:
    """The left side of each column, and the width of all."""
    lefts: list[float] = []
    x = 0.0
    for column in columns:
        lefts.append(x)
        x += _width(column, sizes) + gap
    return lefts, max(x - gap, 0)


def _width(column: Iterable[Name], sizes: Mapping[Name, Box]) -> float:
    return max((sizes[name].width for name in column), default=0)


def _tops(
    columns: Sequence[Sequence[Name]], sizes: Mapping[Name, Box], neighbours: Mapping[Name, Sequence[Name]], gap: float
) -> dict[Name, float]:
    """The top of each box: near the middle of its neighbours, in its column's order, none over another."""
    tops: dict[Name, float] = {}
    for column in columns:
        y = 0.0
        for name in column:
            tops[name] = y
            y += sizes[name].height + gap
    for sweep in range(SWEEPS):
        for column in columns if sweep % 2 else reversed(columns):
            wanted = [_wanted(name, tops, sizes, neighbours) for name in column]
            tops |= dict(zip(column, _apart(column, wanted, sizes, gap), strict=True))
    highest = min(tops.values(), default=0)
    return {name: top - highest for name, top in tops.items()}


def _wanted(
    name: Name, tops: Mapping[Name, float], sizes: Mapping[Name, Box], neighbours: Mapping[Name, Sequence[Name]]
) -> float:
    beside = neighbours.get(name)
    if not beside:
        return tops[name]
    middle = sum(tops[other] + sizes[other].height / 2 for other in beside) / len(beside)
    return middle - sizes[name].height / 2


def _apart(column: Sequence[Name], wanted: Sequence[float], sizes: Mapping[Name, Box], gap: float) -> list[float]:
    """Tops near the wanted ones, in the column's order: boxes that touch move together, to the mean of their wishes."""
    groups: list[tuple[list[int], float, float]] = []  # indices, top of the group, its height
    for index, top in enumerate(wanted):
        group, height = [index], sizes[column[index]].height
        start = top
        while groups and groups[-1][1] + groups[-1][2] + gap > start:
            before, _, before_height = groups.pop()
            group, height = before + group, before_height + gap + height
            offset, shifts = 0.0, []
            for one in group:
                shifts.append(wanted[one] - offset)
                offset += sizes[column[one]].height + gap
            start = sum(shifts) / len(shifts)
        groups.append((group, start, height))
    result = [0.0] * len(column)
    for group, start, _ in groups:
        y = start
        for index in group:
            result[index] = y
            y += sizes[column[index]].height + gap
    return result
