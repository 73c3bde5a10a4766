"""Whether there is a backup to go back to, before a deploy that can harm what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from deploy.model.checks.problem import Problem
from deploy.model.facts import Facts
from deploy.model.plan import Action, Plan
from deploy.model.settings import Environment
from deploy.model.usage import Newest, backup_problems


def check_proof(
    facts: Facts, plan: Plan, proved: Newest, environment: Environment, *, anyway: bool = False
) -> Iterator[Problem]:
    """Stores without a backup that was proved lately, where a deploy may migrate, or replaces a data service.

    Nothing is asked for where the environment does not want it, or nothing is kept yet. With `anyway` it is only said.
    """
    dangers = tuple(_dangers(plan))
    if not (environment.deploy_needs_proof_h and facts.live and dangers):
        return
    place = f"--env {environment.name} --host {facts.host}"
    oldest = timedelta(hours=environment.deploy_needs_proof_h)
    for lack in backup_problems(proved, facts.now, oldest, "proved backup"):
        yield Problem(
            f"{lack}, and the deploy {' and '.join(dangers)}",
            f'inv db.backup {place} && inv db.drill {place}; or say why not: --no-proof "…"',
            fatal=not anyway,
        )


def _dangers(plan: Plan) -> Iterator[str]:
    if migrating := [name for name in plan.migrate if plan.migrations.get(name) != ()]:
        yield f"may migrate {', '.join(migrating)}"
    if replaced := [one.name for one in plan.data if one.action == Action.REPLACE]:
        yield f"replaces {', '.join(replaced)}"
