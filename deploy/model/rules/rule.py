"""A rule: a mistake that can be known from a project's files, why it matters, and what mends it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from textwrap import dedent

from deploy.model.checks.catalogue import HOST_RULES
from deploy.model.checks.problem import Problem
from deploy.model.errors import UsageError, nearest
from deploy.model.rules.subject import Subject

Find = Callable[[Subject], Iterator[Problem]]


class Severity(StrEnum):
    """Whether a mistake stops a deploy."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Rule:
    """One kind of mistake. Its problems may be less than fatal, never more than its severity says."""

    id: str
    severity: Severity
    title: str
    """What is wrong, as a heading."""
    why: str
    """What it costs, in Markdown."""
    fix: str
    """What to write instead, in Markdown."""
    find: Find
    mends: bool = False
    """Whether its problems may come with an overlay that mends them."""
    in_plan: bool = False
    """Whether each of its warnings is told with the plan: it is about this release rather than about the project."""

    def problems(self, subject: Subject) -> Iterator[Problem]:
        """Everything of this kind in a project."""
        for one in self.find(subject):
            yield dataclasses.replace(one, rule=self.id, fatal=one.fatal and self.severity == Severity.ERROR)


def rule(
    id: str,  # noqa: A002  # what everybody calls it
    severity: Severity,
    title: str,
    *,
    why: str,
    fix: str,
    mends: bool = False,
    in_plan: bool = False,
) -> Callable[[Find], Rule]:
    """Makes a rule of the function that finds what breaks it."""

    def decorate(find: Find) -> Rule:
        return Rule(id, severity, title, dedent(why).strip(), dedent(fix).strip(), find, mends, in_plan)

    return decorate


def examine(subject: Subject, rules: Iterable[Rule], allowed: Mapping[str, str]) -> tuple[Problem, ...]:
    """Every problem of a project, those that their owner allows with the reason for it.

    `allowed` is what the environment says for all services, rule id to reason; a service says the same of itself by
    `x-deploy.allow`. Raises UsageError for an id that is none.
    """
    known = tuple(rules)
    _require_known(subject, known, allowed)
    return tuple(
        dataclasses.replace(problem, allowed=_reason(problem, subject, allowed))
        for one in known
        for problem in one.problems(subject)
    )


def _reason(problem: Problem, subject: Subject, allowed: Mapping[str, str]) -> str:
    service = subject.stack.services.get(problem.service)
    own = service.options.allow if service else {}
    return own.get(problem.rule) or allowed.get(problem.rule, "")


def _require_known(subject: Subject, rules: Iterable[Rule], allowed: Mapping[str, str]) -> None:
    ids = [*(one.id for one in rules), *HOST_RULES]
    places = {f"deploy.environments.{subject.environment}.allow": allowed} | {
        f"services.{name}.x-deploy.allow": one.options.allow for name, one in subject.stack.services.items()
    }
    for where, given in places.items():
        for id_ in given:
            if id_ not in ids:
                raise UsageError(f"{where}.{id_}: there is no such rule", nearest(id_, ids))
