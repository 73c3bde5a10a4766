"""The source of a service: the names of the files it is built from, and the texts of the few that tell what it is."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.model.recipe import Recipe

TOLD_BY = frozenset(
    [
        ".flaskenv",
        "Gemfile",
        "Pipfile",
        "alembic.ini",
        "composer.json",
        "manage.py",
        "mix.exs",
        "package.json",
        "pyproject.toml",
        "setup.cfg",
    ]
)
"""Names of files whose text is read, besides requirements and scripts."""


def is_told_by(path: str) -> bool:
    """Whether the text of a file, named relative to its source's folder, is worth reading."""
    name = posixpath.basename(path)
    return (
        name in TOLD_BY
        or (name.startswith("requirements") and name.endswith(".txt"))
        or path.split("/", maxsplit=1)[0] == "requirements"
        or name.endswith(".sh")
        or "entrypoint" in name
    )


@dataclass(frozen=True)
class Source:
    """A folder that a service is built from or that is mounted into it."""

    folder: str
    """Absolute."""
    files: frozenset[str]
    """Paths relative to the folder, with '/' between their parts; not all of a deep tree."""
    texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of those that is_told_by names."""
    recipe: Recipe = field(default_factory=Recipe)
    """What its Dockerfile makes of it; empty where it is only mounted."""
    mounted: str = ""
    """Where the folder is mounted in the container, absolute; empty when it is not."""

    def named(self, *names: str) -> tuple[str, ...]:
        """Files whose path ends with one of the names, the nearest to the top first."""
        found = (path for path in self.files if any(path == name or path.endswith(f"/{name}") for name in names))
        return tuple(sorted(found, key=lambda path: (path.count("/"), path)))

    def inside(self, file: str) -> str:
        """Where the service's container has a file, absolute; empty when it does not, as far as can be seen."""
        if self.mounted:
            return posixpath.join(self.mounted, file)
        return self.recipe.place(file)

    def text(self, file: str) -> str:
        return self.texts.get(file, "")

    def requires(self, package: str, *, near: str = "") -> bool:
        """Whether a Python package is named as a requirement, in the folder of a file or above it."""
        wanted = package.lower().replace("_", "-")
        for path, text in self.texts.items():
            name = posixpath.basename(path)
            lists = name.startswith("requirements") or path.startswith("requirements/")
            above = posixpath.dirname(near).startswith(posixpath.dirname(path).removesuffix("requirements").rstrip("/"))
            if (lists or name in {"pyproject.toml", "Pipfile", "setup.cfg"}) and (not near or above):
                words = text.lower().replace("_", "-")
                if any(_starts(line, wanted) for line in words.replace(",", "\n").splitlines()):
                    return True
        return False

    def package(self, file: str) -> Mapping[str, Any]:
        """A JSON document, such as package.json; empty when it cannot be read."""
        try:
            found = json.loads(self.text(file) or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, Mapping) else {}


def _starts(line: str, package: str) -> bool:
    """Whether a requirement line names a package: `django>=5`, `"django>=5",`, `django = "^5"`."""
    bare = line.strip().lstrip("[\"'").removeprefix("dependencies = [").lstrip(" \"'")
    rest = bare.removeprefix(package)
    return rest != bare and not (rest[:1].isalnum() or rest[:1] in {"-", "."})
