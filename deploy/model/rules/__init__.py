"""Mistakes that are found before they cost anything: one function each, in the order in which they are told."""

from deploy.model.rules import exposure, release, secrets, staying_up
from deploy.model.rules.rule import Rule, Severity, examine
from deploy.model.rules.subject import (
    ComposeFile,
    Context,
    Dockerfile,
    EnvFile,
    Reference,
    Subject,
    Tagged,
    Variable,
    references_in,
)

RULES: tuple[Rule, ...] = (
    release.not_in_a_release,
    release.mount,
    release.too_many_replicas,
    release.point_in_time,
    release.taken_for_a_store,
    exposure.published_data,
    exposure.trust_authentication,
    secrets.blank_secret,
    staying_up.no_health_check,
    staying_up.no_restart_policy,
)

__all__ = [
    "RULES",
    "ComposeFile",
    "Context",
    "Dockerfile",
    "EnvFile",
    "Reference",
    "Rule",
    "Severity",
    "Subject",
    "Tagged",
    "Variable",
    "examine",
    "references_in",
]
