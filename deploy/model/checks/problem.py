"""A problem found before anything was touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from deploy.model.errors import DeployError


@dataclass(frozen=True)
class Problem:
    """`fatal` ones stop the deploy, others are shown with the plan."""

    message: str
    remedy: str = ""
    fatal: bool = True
    path: tuple[str, ...] = ()
    """Where in the compose files it comes from: `("services", "web", "ports")`. Empty when from nowhere there."""

    def __str__(self) -> str:
        return f"{self.message} → {self.remedy}" if self.remedy else self.message


def require_none(
    problems: Iterable[Problem], where: str, locate: Callable[[tuple[str, ...]], str] = lambda _: ""
) -> tuple[str, ...]:
    """The texts of what is not fatal. Raises DeployError with every fatal problem.

    `locate` gives a file and line for a problem's path, or an empty text.
    """
    found = tuple(problems)

    def text(problem: Problem) -> str:
        place = locate(problem.path) if problem.path else ""
        return f"{place}: {problem}" if place else str(problem)

    fatal = [text(problem) for problem in found if problem.fatal]
    if fatal:
        count = f"{len(fatal)} problem{'s' if len(fatal) > 1 else ''}"
        raise DeployError(
            f"{where}: {count} found before anything was touched", details="\n".join(f"✗ {text}" for text in fatal)
        )
    return tuple(text(problem) for problem in found)
