"""Finding an environment's compose files when `invoke.yaml` does not name them."""

from __future__ import annotations

from pathlib import Path

from deploy.model.errors import UsageError
from deploy.model.settings import Environment

BASES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
DEV, PROD = ("override", "dev", "development", "local"), ("prod", "production")


def compose_files(root: Path, environment: Environment) -> tuple[Path, ...]:
    """The files of an environment, absolute. Raises UsageError naming what is missing."""
    if environment.compose:
        files = tuple(root / name for name in environment.compose)
        for file in files:
            if not file.is_file():
                raise UsageError(
                    f"invoke.yaml: deploy.environments.{environment.name}.compose: no file {file}", "mend the path"
                )
        return files
    base = next((root / name for name in BASES if (root / name).is_file()), None)
    words = DEV if environment.local else (environment.name, *PROD)
    overlay = next((file for word in words for file in _overlays(root, word) if file.is_file()), None)
    files = tuple(file for file in (base, overlay) if file)
    if files:
        return files
    raise UsageError(
        f"no compose file found in {root}",
        f"add compose.yaml, or name the files under deploy.environments.{environment.name}.compose in invoke.yaml",
    )


def _overlays(root: Path, word: str) -> list[Path]:
    return [root / f"{Path(base).stem}.{word}{Path(base).suffix}" for base in BASES]
