"""Holding a project against the rules, as it is in its folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.engine.compose import ComposeProject
from deploy.engine.discover import env_example
from deploy.engine.lines import SourceLines
from deploy.engine.places import find_places
from deploy.engine.subject import read_subject
from deploy.model.checks import Problem, require_none
from deploy.model.places import Places
from deploy.model.rules import RULES, examine
from deploy.model.rules.variables import UNSET
from deploy.model.settings import Environment
from deploy.model.stack import Stack


@dataclass(frozen=True)
class Examined:
    """A project in one of its environments, and what was found about it."""

    stack: Stack
    places: Places
    """Where what services mount is on a host."""
    lines: SourceLines
    """Where in the compose files something stands."""
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    """Compose's own, but for those that a rule tells of, with its place."""

    def notes(self, command: str) -> tuple[str, ...]:
        """What a plan tells: compose's warnings, those about this release, and how many others `command` shows.

        Raises DeployError with everything that stops a deploy.
        """
        told = [one for one in self.problems if one.fatal or _in_plan(one)]
        return (*self.warnings, *require_none(told, "the stack", self.lines.locate), *self._others(command))

    def _others(self, command: str) -> Iterator[str]:
        found = Counter(one.rule for one in self.problems if not (one.fatal or one.allowed or _in_plan(one)))
        if found:
            kinds = ", ".join(f"{rule} {number}" if number > 1 else rule for rule, number in found.most_common())
            yield f"the stack could be safer or steadier ({kinds}) → {command} says where, why, and what mends it"


def examine_project(
    compose: ComposeProject, environment: Environment, root: Path, missing: Iterable[str] = ()
) -> Examined:
    """Read a stack and hold it against every rule.

    `missing` are variables that nothing sets and that something stands in for. Raises UsageError for files that cannot
    be read.
    """
    stack, warnings = compose.stack()
    places, lines = find_places(stack, root), SourceLines(compose.files, root)
    example = env_example(root, compose.files, environment.name)
    subject = read_subject(
        compose, environment, root, stack, places, lines, example=example, missing=missing, warnings=warnings
    )
    others = tuple(one for one in warnings if not UNSET.search(one))
    return Examined(stack, places, lines, examine(subject, RULES, environment.allow), others)


_IN_PLAN = frozenset(one.id for one in RULES if one.in_plan)


def _in_plan(problem: Problem) -> bool:
    return problem.rule in _IN_PLAN
