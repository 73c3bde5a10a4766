"""Writing the compose file that mends what rules found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.model.rules import Tagged

NAME = "compose.fixes.yaml"


def overlay_text(document: Mapping[str, Any], head: str) -> str:
    """A compose document as YAML, below a comment."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def tagged(dumper: yaml.SafeDumper, one: Tagged) -> yaml.Node:
        node = dumper.represent_data(one.value)
        node.tag = one.tag
        if isinstance(node, yaml.ScalarNode):
            node.style = ""
        return node

    Dumper.add_representer(Tagged, tagged)
    comment = "".join(f"# {line}\n" for line in head.splitlines())
    return comment + yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
