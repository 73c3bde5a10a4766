"""A problem found before anything was touched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deploy.model.errors import DeployError


@dataclass(frozen=True)
class Problem:
    """`fatal` ones stop the deploy, others are shown with the plan."""

    message: str
    remedy: str = ""
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.message} → {self.remedy}" if self.remedy else self.message


def require_none(problems: Iterable[Problem], where: str) -> tuple[str, ...]:
    """The texts of what is not fatal. Raises DeployError with every fatal problem."""
    found = tuple(problems)
    fatal = [str(problem) for problem in found if problem.fatal]
    if fatal:
        count = f"{len(fatal)} problem{'s' if len(fatal) > 1 else ''}"
        raise DeployError(
            f"{where}: {count} found before anything was touched", details="\n".join(f"✗ {text}" for text in fatal)
        )
    return tuple(str(problem) for problem in found)
