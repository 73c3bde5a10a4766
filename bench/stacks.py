"""How large the images of the reference stacks are, and how long they take to build.

    .venv/bin/python -m bench.stacks [--cold] [STACK...]

Development and production; the services that are built here. `--cold` builds without the builder's cache, so that
packages are downloaded anew: that time is the registries' as much as ours. Otherwise most of a build has been done
before.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.engine.bases import BaseImages
from deploy.engine.files import create_env_file
from deploy.engine.references import reference_stack
from deploy.shell import LocalShell
from deploy.ui import Console
from tests.conftest import ROOT

ENVIRONMENTS = ("dev", "prod")


@dataclass(frozen=True)
class Built:
    """One image."""

    stack: str
    environment: str
    service: str
    size_mb: float
    build_s: float


def measure(stack: str, environment: str, folder: Path, *, cold: bool) -> Iterator[Built]:
    """The images of one stack for one environment, built one after the other."""
    reference = reference_stack(stack)
    base = ROOT / "compose" / stack
    env = folder / f"{stack}-{environment}.env"
    create_env_file(env, reference.example)
    compose = ["docker", "compose", "--project-name", f"sizes-{stack}-{environment}", "--env-file", str(env)]
    compose += ["--file", str(base / "compose.yaml"), "--file", str(base / f"{environment}.yaml")]
    model = json.loads(_output(*compose, "config", "--format", "json"))
    for name, service in model["services"].items():
        if "build" not in service:
            continue
        began = time.monotonic()
        _output(*compose, "build", "--quiet", *(["--no-cache"] if cold else []), name)
        took = time.monotonic() - began
        image = service.get("image") or f"sizes-{stack}-{environment}-{name}"
        size = int(_output("docker", "image", "inspect", "--format", "{{.Size}}", image))
        yield Built(stack, environment, name, size / 1e6, took)
        _output("docker", "image", "rm", "--no-prune", image)


def _output(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, cwd=ROOT).stdout


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("stack", nargs="*")
    words = parser.parse_args()
    images = BaseImages(LocalShell(), Console(), ROOT)
    images.ensure(images.made_here())
    with tempfile.TemporaryDirectory() as folder:
        for stack in words.stack or sorted(path.parent.name for path in (ROOT / "compose").glob("*/compose.yaml")):
            for environment in ENVIRONMENTS:
                for one in measure(stack, environment, Path(folder), cold=words.cold):
                    what = f"{one.stack:<18} {one.environment:<5} {one.service:<9}"
                    print(f"{what} {one.size_mb:6.0f} MB {one.build_s:6.1f} s", flush=True)


if __name__ == "__main__":
    main()
