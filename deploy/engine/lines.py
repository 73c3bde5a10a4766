"""Where in the compose files something stands: for messages that lead to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.model.aliases import measure
from deploy.model.errors import UsageError
from deploy.model.rules import ComposeFile, Reference, Tagged, references_in

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node

MOST_FILES = 50
"""Files that include and extend each other beyond this many are not looked into."""
_NULL = "tag:yaml.org,2002:null"
_OWN_TAGS = frozenset({"!reset", "!override"})


@dataclass(frozen=True)
class SourceLines:
    """The files that a model was read from."""

    files: tuple[Path, ...]
    root: Path

    def locate(self, path: Sequence[str]) -> str:
        """`compose.yaml:12` for a path of keys into the model; empty when no file has any of it.

        Of several files the one that has most of the path counts, of those the last, as it does for compose. In a list
        the last word of the path finds the entry that contains it. What a service has from one that it extends is
        found there.
        """
        best = self._deepest(path)
        for other in self._extended(path):
            if best and best[0] < len(path):
                best = max(best, self._deepest((path[0], other, *path[2:])) or best, key=lambda found: found[0])
        return f"{self.name(best[1])}:{best[2]}" if best else ""

    def _deepest(self, path: Sequence[str]) -> tuple[int, Path, int] | None:
        best: tuple[int, Path, int] | None = None
        for file, document in self._documents:
            depth, line = _follow(document, path)
            if depth and (best is None or depth >= best[0]):
                best = (depth, file, line)
        return best

    def _extended(self, path: Sequence[str]) -> tuple[str, ...]:
        """The services that a path's own one extends, the nearest first."""
        found: list[str] = []
        name = path[1] if path[:1] == ("services",) and len(path) > 2 else ""  # noqa: PLR2004  # below a service
        while name and name not in found:
            found.append(name)
            services = (_value(_value(document, "services"), name) for _, document in self._documents)
            extended = (_value(service, "extends") for service in services)
            names = (_value(one, "service") or one for one in extended if one)
            name = next((str(one.value) for one in names), "")
        return tuple(found[1:])

    def written(self) -> tuple[ComposeFile, ...]:
        """The files as they are written, those that others include or extend before them."""
        return tuple(
            ComposeFile(self.name(file), _mapping(document), tuple(_references(document, self.name(file))))
            for file, document in self._documents
        )

    def name(self, file: Path) -> str:
        """A file as messages call it: relative to the project's folder, where it is in it."""
        return str(file.relative_to(self.root) if file.is_relative_to(self.root) else file)

    @cached_property
    def _documents(self) -> tuple[tuple[Path, Node], ...]:
        """Each file with what it includes and extends before it."""
        found: dict[Path, Node] = {}
        begun: set[Path] = set()
        for file in self.files:
            self._read(file.resolve(), found, begun)
        return tuple(found.items())

    def _read(self, file: Path, found: dict[Path, Node], begun: set[Path]) -> None:
        """A file after those that it refers to, each once. What compose has its own words for is left to it."""
        import yaml

        if file in begun or len(found) >= MOST_FILES:
            return
        begun.add(file)
        try:
            document = yaml.compose(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            if document is None:
                return
            measure(document, str(file))
        except (OSError, UnicodeDecodeError, yaml.YAMLError, UsageError, RecursionError):
            return
        for name in _referred(document):
            self._read((file.parent / name).resolve(), found, begun)
        found[file] = document


def _follow(node: Node, path: Sequence[str]) -> tuple[int, int]:
    """How many words of a path lead from a node to another, and the line (from 1) of the last of them."""
    depth, line = 0, node.start_mark.line + 1
    for word in path:
        step = _step(node, word)
        if step is None:
            break
        line, node = step
        depth += 1
    return depth, line


def _step(node: Node, word: str) -> tuple[int, Node] | None:
    from yaml.nodes import MappingNode, SequenceNode

    if isinstance(node, MappingNode):
        for key, value in _pairs(node):
            if key.value == word:
                return key.start_mark.line + 1, value
        for key, value in _pairs(node):  # `networks: {front: {ipv4_address: 10.0.0.2}}`, looked for by the address
            if word in _scalars(value):
                return key.start_mark.line + 1, value
    elif isinstance(node, SequenceNode):
        for entry in node.value:
            if any(word in text for text in _scalars(entry)):
                return entry.start_mark.line + 1, entry
    return None


def _mapping(node: Node) -> Mapping[str, Any]:
    found = _plain(node)
    return found if isinstance(found, Mapping) else {}


def _plain(node: Node) -> Any:
    """A node as dictionaries, lists and texts; nothing as None. What compose's own tags are on is Tagged."""
    from yaml.nodes import MappingNode, SequenceNode

    if isinstance(node, MappingNode):
        found: Any = {}
        for key, value in _pairs(node):
            found.setdefault(str(key.value), _plain(value))  # a mapping's own keys come before merged ones
    elif isinstance(node, SequenceNode):
        found = [_plain(entry) for entry in node.value]
    else:
        found = None if node.tag == _NULL else str(node.value)
    return Tagged(node.tag, found) if node.tag in _OWN_TAGS else found


def _references(node: Node, file: str) -> Iterator[Reference]:
    """Every variable that a document asks for."""
    from yaml.nodes import MappingNode, ScalarNode, SequenceNode

    if isinstance(node, ScalarNode):
        for name, required, default in references_in(node.value):
            yield Reference(name, file, node.start_mark.line + 1, required, default)
    elif isinstance(node, SequenceNode):
        for entry in node.value:
            yield from _references(entry, file)
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            yield from _references(key, file)
            yield from _references(value, file)


def _pairs(node: MappingNode) -> Iterator[tuple[Node, Node]]:
    """Keys and values, those of merged mappings (`<<`) after a mapping's own."""
    from yaml.nodes import MappingNode, SequenceNode

    merged: list[Node] = []
    for key, value in node.value:
        if key.value == "<<":
            merged += value.value if isinstance(value, SequenceNode) else [value]
        else:
            yield key, value
    for one in merged:
        if isinstance(one, MappingNode):
            yield from _pairs(one)


def _scalars(node: Node) -> Iterator[str]:
    from yaml.nodes import MappingNode, ScalarNode, SequenceNode

    if isinstance(node, ScalarNode):
        yield str(node.value)
    elif isinstance(node, SequenceNode):
        for entry in node.value:
            yield from _scalars(entry)
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            yield from _scalars(key)
            yield from _scalars(value)


def _referred(document: Node) -> Iterator[str]:
    """Files that a document includes, and those that its services extend."""
    from yaml.nodes import MappingNode, SequenceNode

    included = _value(document, "include")
    if isinstance(included, SequenceNode):
        for entry in included.value:
            yield from _scalars(_value(entry, "path") or entry)
    services = _value(document, "services")
    if isinstance(services, MappingNode):
        for _, service in _pairs(services):
            if file := _value(_value(service, "extends"), "file"):
                yield from _scalars(file)


def _value(node: Node | None, key: str) -> Node | None:
    """What a mapping has under a key of its own."""
    from yaml.nodes import MappingNode

    if not isinstance(node, MappingNode):
        return None
    return next((value for name, value in _pairs(node) if name.value == key), None)
