"""Secrets that are missing, weak, or known to everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deploy.model.checks.problem import Problem
from deploy.model.rules.rule import Severity, rule
from deploy.model.rules.subject import Subject, at

_NEEDED = re.compile(r"(.*_)?(PASSWORD|SECRET_KEY)", re.IGNORECASE)
SECRET = re.compile(r".*(PASSWORD|PASSWD|SECRET|TOKEN|PRIVATE_KEY|API_KEY)(?!.*_FILE$).*", re.IGNORECASE)
"""Names of variables that hold a secret."""


@rule(
    "blank-secret",
    Severity.ERROR,
    "A secret is blank",
    why="""
    A password or a secret key that is empty lets everybody in, or stops the service as it starts. Tokens of
    integrations may be left blank: those are warned of only.
    """,
    fix="Set it in the environment's env file.",
)
def blank_secret(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.services.values():
        for name, value in service.environment.items():
            if SECRET.fullmatch(name) and not value:
                yield Problem(
                    f"{service.name}: {name} is blank",
                    "set it in the environment's env file",
                    fatal=bool(_NEEDED.fullmatch(name)),
                    path=at(service, "environment", name),
                )
