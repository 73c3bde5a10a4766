"""What the rules of `prod.check` cost beyond `docker compose config` itself, for each reference stack.

    python -m bench.check

Everything is read from the disk's cache; medians of several runs, in milliseconds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from deploy.engine.compose import ComposeProject
from deploy.engine.discover import compose_files, env_example
from deploy.engine.inspection import readable
from deploy.engine.lines import SourceLines
from deploy.engine.places import find_places
from deploy.engine.subject import read_subject
from deploy.model.rules import RULES, Subject, examine
from deploy.model.settings import Environment, parse_settings
from deploy.shell import LocalShell

ROOT = Path(__file__).resolve().parent.parent
STACKS = ("timetracker", "alarm", "procgenie", "primary-assistant", "autopack")
RUNS = 9


def main() -> None:
    """Print the table."""
    print(f"{len(RULES)} rules, medians of {RUNS} runs")
    print(f"{'stack':<20}{'services':>9}{'compose config':>16}{'reading':>10}{'rules':>8}{'rules and reading':>20}")
    for name in STACKS:
        environment = parse_settings({"stack": name}, folder=name).environment("prod")
        found = readable(LocalShell(ROOT), ROOT, environment)
        measure(name, environment, found.compose, found.stood_in)


def measure(name: str, environment: Environment, compose: ComposeProject, missing: frozenset[str]) -> None:
    """One line of it."""
    stack, warnings = compose.stack()
    example = env_example(ROOT, compose_files(ROOT, environment), environment.name)

    def read() -> Subject:
        places, lines = find_places(stack, ROOT), SourceLines(compose.files, ROOT)
        return read_subject(
            compose, environment, ROOT, stack, places, lines, example=example, missing=missing, warnings=warnings
        )

    config = median_ms(lambda: compose.shell.run(compose.command.then("config", "--format", "json")))
    reading = median_ms(read)
    ruling = median_ms(lambda: examine(read(), RULES, {})) - reading
    print(
        f"{name:<20}{len(stack.services):>9}{config:>13.0f} ms{reading:>7.1f} ms{ruling:>5.1f} ms"
        f"{reading + ruling:>17.1f} ms"
    )


def median_ms(what: Callable[[], object]) -> float:
    """How long something takes."""
    took = []
    for _ in range(RUNS):
        began = time.perf_counter()
        what()
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000


if __name__ == "__main__":
    main()
