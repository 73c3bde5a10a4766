"""A problem found before anything was touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.model.errors import DeployError


@dataclass(frozen=True)
class Problem:
    """`fatal` ones stop the deploy, others are shown with the plan."""

    message: str
    remedy: str = ""
    fatal: bool = True
    path: tuple[str, ...] = ()
    """Where in the compose files it comes from: `("services", "web", "ports")`. Empty when from nowhere there."""
    rule: str = ""
    """Id of the rule that found it; empty for what has none."""
    place: str = ""
    """`.env.prod:4`, where it comes from another file than those of compose."""
    overlay: Mapping[str, Any] = field(default_factory=dict)
    """What a compose file laid over the others would say to mend it; empty where that takes a person."""
    allowed: str = ""
    """Why its owner says that it is as it should be; empty when nobody does."""

    @property
    def service(self) -> str:
        """The service it is about; empty when it is about none."""
        return self.path[1] if self.path[:1] == ("services",) and len(self.path) > 1 else ""

    def __str__(self) -> str:
        return f"{self.message} → {self.remedy}" if self.remedy else self.message


Locate = Callable[[tuple[str, ...]], str]
"""A path of keys in the compose files to `compose.yaml:12`; to an empty text when none of them has it."""


def place_of(problem: Problem, locate: Locate) -> str:
    """The file and line of a problem; empty when it comes from none."""
    return problem.place or (locate(problem.path) if problem.path else "")


def require_none(problems: Iterable[Problem], where: str, locate: Locate = lambda _: "") -> tuple[str, ...]:
    """The texts of what is not fatal. Raises DeployError with every fatal problem."""
    found = tuple(problem for problem in problems if not problem.allowed)

    def text(problem: Problem) -> str:
        place = place_of(problem, locate)
        return f"{place}: {problem}" if place else str(problem)

    fatal = [text(problem) for problem in found if problem.fatal]
    if fatal:
        count = f"{len(fatal)} problem{'s' if len(fatal) > 1 else ''}"
        raise DeployError(
            f"{where}: {count} found before anything was touched", details="\n".join(f"✗ {text}" for text in fatal)
        )
    return tuple(text(problem) for problem in found)
