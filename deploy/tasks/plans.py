"""Plans: made for one host or a cluster, and those of several hosts shown once where the same happens to them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from deploy.model.plan import Plan
from deploy.tasks.app import App
from deploy.ui.plans import plan_lines
from deploy.ui.units import count, names_of

if TYPE_CHECKING:
    from deploy.release.prepare import Prepared
    from deploy.release.site import Site
    from deploy.tasks.swarm.reach import Reach

MOST_PLANS = 10
"""Different plans of one run that are shown."""


def plan_of(app: App, prepared: Prepared, site: Site, reach: Reach | None = None) -> Plan:
    """What a deploy would do to a host, or to a cluster by `reach`. Raises DeployError for what is in its way."""
    from deploy.release.deploy import plan_deploy
    from deploy.release.swarm.checking import plan_swarm

    if reach:
        return plan_swarm(prepared, *reach, app.shell())[0]
    return plan_deploy(prepared, site, app.shell())[0]


def alike(plans: Sequence[Plan]) -> Iterator[Plan]:
    """Hosts to which the same happens as one plan, under all their names."""
    groups: dict[str, list[Plan]] = {}
    for plan in plans:
        # plans hold mappings, which are no keys; to compare each with each would be a million times for 1,000 hosts
        said = json.dumps(dataclasses.replace(plan, host="", warnings=()).to_json(), sort_keys=True)
        groups.setdefault(said, []).append(plan)
    for group in groups.values():
        yield dataclasses.replace(group[0], host=names_of([plan.host for plan in group]), warnings=_warnings(group))


def _warnings(plans: Sequence[Plan]) -> tuple[str, ...]:
    """What is said of all hosts, and then what is said of some, with their names."""
    told_of: dict[str, list[str]] = {}
    for plan in plans:
        for text in dict.fromkeys(plan.warnings):
            told_of.setdefault(text, []).append(plan.host)
    of_all = [text for text, hosts in told_of.items() if len(hosts) == len(plans)]
    return (*of_all, *(f"{names_of(hosts)}: {text}" for text, hosts in told_of.items() if len(hosts) < len(plans)))


def show_plans(app: App, plans: Sequence[Plan], show: Callable[[str], None]) -> None:
    """Hosts to which the same happens as one plan; of very many different ones the first."""
    groups = [*alike(plans)]
    for plan in groups[:MOST_PLANS]:
        show_plan(app, plan, show)
    if len(groups) > MOST_PLANS:
        show(f"… and {count(len(groups) - MOST_PLANS, 'more plan')} for other hosts, all of them with prod.plan --json")


def show_plan(app: App, plan: Plan, show: Callable[[str], None]) -> None:
    """`show` takes the lines: to stdout where the plan is what was asked for, to stderr where it is talk."""
    for line in plan_lines(plan):
        show(line)
    for warning in plan.warnings:
        app.console.warn(warning)
