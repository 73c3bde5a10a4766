"""What `invoke.yaml` says, read before Invoke reads it: with an error for everything that Invoke would show a traceback
for, wait for without end, or silently take for something else."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invoke.vendor import yaml

from deploy.model.aliases import children, line_of, measure
from deploy.model.errors import UsageError
from deploy.shell.reading import read_text

MOST_BYTES = 256 << 10
"""Invoke reads it a second time, and its reader takes seconds for a megabyte."""
_OURS = "deploy"
_NEAR = 0.8  # how alike a mistyped `deploy` is; other keys of the file are Invoke's, or the user's own


def declared(root: Path) -> tuple[str, Mapping[str, Any]]:
    """The name of a project's own configuration file, and what it says under `deploy:`.

    Raises UsageError for a file that cannot be read, naming file and line.
    """
    for suffix in ("yaml", "yml", "json"):  # as Invoke looks; invoke.py is a program, which only Python can read
        file = root / f"invoke.{suffix}"
        if os.path.lexists(file):
            return file.name, deploy_of(file)
    return "invoke.yaml", {}


def deploy_of(file: Path) -> Mapping[str, Any]:
    """What a configuration file says under `deploy:`. Raises UsageError naming the file."""
    name = file.name
    document = _document(name, read_text(file, most_bytes=MOST_BYTES))
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise UsageError(f"{name} is not a mapping", "write settings as `deploy:` with what belongs to it below")
    if _OURS not in document:
        _require_nothing_like_it(name, document)
        return {}
    found = document[_OURS]
    if not isinstance(found, dict):
        raise UsageError(f"{name}: there are no settings under deploy:", "add some, or leave `deploy:` out")
    return found


def _require_nothing_like_it(name: str, document: Mapping[Any, Any]) -> None:
    keys = [str(key) for key in document]
    if near := difflib.get_close_matches(_OURS, keys, n=1, cutoff=_NEAR):
        raise UsageError(f"{name}: {near[0]}: unknown key", "did you mean 'deploy'?")
    if "environments" in keys:
        raise UsageError(f"{name}: environments: unknown key", "did you mean deploy: with environments: below it?")


def _document(name: str, text: str) -> Any:
    try:
        if name.endswith(".json"):
            return json.loads(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)  # type: ignore[no-untyped-call]  # vendored without types
        if node is None:
            return None
        measure(node, name)
        _require_single_keys(node, name)
        return yaml.safe_load(text)  # type: ignore[no-untyped-call]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}, line {mark.line + 1}, column {mark.column + 1}" if mark else name
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        raise UsageError(f"{where} cannot be read: {problem}", _remedy(problem)) from error
    except (yaml.YAMLError, ValueError) as error:  # dates and numbers that cannot be are ValueErrors
        raise UsageError(f"{name} cannot be read: {error}", "mend it there") from error
    except RecursionError as error:
        raise UsageError(f"{name} cannot be read: it is nested too deeply", "mend it there") from error


def _remedy(problem: str) -> str:
    return "indent by spaces: YAML takes no tabs" if "'\\t'" in problem else "mend it there"


def _require_single_keys(node: Any, name: str) -> None:
    """Of a key that is there twice YAML takes the last, and nobody sees that the first counts for nothing."""
    waiting, seen = [node], set()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        waiting += children(one)
        keys: dict[tuple[str, str], Any] = {}
        for key in (key for key, _ in one.value) if isinstance(one, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode):
                continue
            before = keys.setdefault((key.tag, key.value), key)
            if before is not key:
                raise UsageError(
                    f"{line_of(key, name)}: the key '{key.value}' is there twice",
                    f"it is in line {before.start_mark.line + 1} too: keep one of them",
                )
