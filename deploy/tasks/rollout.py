"""What `deploy` does with the hosts it is given: one as it stands there, several in waves with a summary."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deploy.model.errors import DeployError, UsageError, nearest
from deploy.model.plan import Plan
from deploy.model.settings import Environment
from deploy.model.waves import MANY, HostOutcome, HostResult, OnFailure, Wave, parse_waves
from deploy.shell.remembering import Remembering
from deploy.tasks.app import App
from deploy.tasks.base import whole
from deploy.tasks.hosts import ask, connected
from deploy.tasks.plans import show_plan, show_plans
from deploy.ui.reports import seen, summary_lines
from deploy.ui.units import count, duration, names_of, size

if TYPE_CHECKING:
    from deploy.release.fleet import Member
    from deploy.release.prepare import Prepared
    from deploy.release.site import Site


@dataclass(frozen=True)
class Wanted:
    """How a deploy was asked for."""

    yes: bool
    rebuild: bool
    waves: tuple[Wave, ...]
    at_once: int
    on_failure: OnFailure
    skip: bool
    """Leave out hosts that cannot be reached."""
    no_proof: str
    """Why there need be no backup that was proved lately."""

    @classmethod
    def of(
        cls,
        environment: Environment,
        *,
        yes: bool,
        rebuild: bool,
        wave: str,
        parallel: str,
        on_failure: str,
        skip: bool,
        no_proof: str = "",
    ) -> Wanted:
        """Raises UsageError for options that cannot be."""
        if on_failure not in [*OnFailure]:
            raise UsageError(f"--on-failure {on_failure}: unknown", nearest(on_failure, [*OnFailure]))
        return cls(
            yes=yes,
            rebuild=rebuild,
            waves=parse_waves(wave.split(","), "--wave") if wave else environment.waves,
            at_once=whole(parallel, "--parallel", "hosts", least=1) if parallel else environment.parallel,
            on_failure=OnFailure(on_failure),
            skip=skip,
            no_proof=no_proof.strip(),
        )


def plans_for(app: App, environment: Environment, specs: Sequence[str], *, skip: bool) -> Sequence[Plan]:
    """What a deploy would do to each host."""
    if len(specs) > 1:
        with connected(app, environment, specs, skip=skip) as (sites, _):
            return [plan for _, plan in _look(app, environment, sites).values()]
    from deploy.release.deploy import plan_deploy

    with app.site(environment, specs[0]) as site:
        prepared = app.prepare(environment, site, datetime.now(UTC))
        return [plan_deploy(prepared, site, app.shell())[0]]


def deploy_to(app: App, environment: Environment, specs: Sequence[str], wanted: Wanted) -> None:
    """Release to one host or to several. Raises DeployError when a host has failed."""
    if len(specs) == 1:
        _deploy_to_one(app, environment, specs[0], wanted)
    else:
        _deploy_to_several(app, environment, specs, wanted)


def _deploy_to_one(app: App, environment: Environment, spec: str, wanted: Wanted) -> None:
    """From its plan to what is true afterwards."""
    from deploy.release.deploy import deploy, finish, obtain_and_build, plan_deploy

    with app.site(environment, spec, make_sandbox=not app.dry) as site:
        app.require_env_file(environment, [site], yes=wanted.yes)
        prepared = app.prepare(environment, site, datetime.now(UTC), rebuild=wanted.rebuild)
        with app.console.step(f"Look at {spec}"):
            plan, _ = plan_deploy(prepared, site, app.shell(), no_proof=wanted.no_proof)
        if plan.noop:
            _say_nothing_to_do(app, [site], [plan], environment)
            return
        show_plan(app, plan, app.console.say)
        if app.dry:
            return
        if plan.changes:
            app.console.confirm("Deploy this?", yes=wanted.yes, consequence="this changes what users get")
            scans = obtain_and_build(prepared, plan, app.shell(), app.console, rebuild=wanted.rebuild)
            plan = dataclasses.replace(plan, scans=scans)
            done = deploy(prepared, plan, site, app.shell(), app.console)
        else:
            done = finish(prepared, plan, site, app.console)
        for note in done.notes:
            app.console.warn(note)
        sent = f", {size(done.bytes_sent)} sent" if done.bytes_sent else ""
        app.console.good(f"{done.release} is live on {spec} after {duration(done.seconds)}{sent}{seen(done.probes)}.")
        verbs = f"inv {environment.name}"
        back = f"; {verbs}.rollback --host {spec} goes back to {done.previous}" if done.previous else ""
        back = "" if plan.moves else back
        app.console.say(f"Next: {verbs}.status --host {spec}{back}.")


def _deploy_to_several(app: App, environment: Environment, specs: Sequence[str], wanted: Wanted) -> None:
    """All are looked at before anything is built, and locked before anything changes; a table tells how each ended."""
    from deploy.release.fleet import Rollout

    with connected(app, environment, specs, make_sandbox=not app.dry, skip=wanted.skip) as (sites, absent):
        with app.console.step(f"Look at {len(sites)} hosts"):
            ask(sites, lambda _, site: site.first_look.engine_version)
        app.require_env_file(environment, sites.values(), yes=wanted.yes)
        with app.console.step(f"Plan for {len(sites)} hosts"):
            found = _look(app, environment, sites, rebuild=wanted.rebuild, no_proof=wanted.no_proof)
        if moving := next((spec for spec, (_, plan) in found.items() if plan.moves), ""):
            raise UsageError(
                f"{moving} takes the project back from a cluster, which is for one host alone",
                f"inv {environment.name}.deploy --host {moving} first, then the others",
            )
        results = {spec: HostResult(spec, HostOutcome.SKIPPED) for spec in absent}
        nothing = {spec: plan for spec, (_, plan) in found.items() if plan.noop}
        results |= {spec: HostResult(spec, HostOutcome.NOTHING_TO_DO, plan.previous) for spec, plan in nothing.items()}
        _say_nothing_to_do(app, [sites[spec] for spec in nothing], [*nothing.values()], environment)
        members = [_member(spec, sites[spec], *found[spec]) for spec in sites if spec not in results]
        show_plans(app, [member.plan for member in members], app.console.say)
        if app.dry:
            return
        if members:
            members = _confirm_and_build(app, members, wanted)
            rollout = Rollout(
                members,
                wanted.waves,
                app.shell(),
                app.console,
                at_once=wanted.at_once,
                on_failure=wanted.on_failure,
            )
            try:
                rollout.run()
            finally:
                results |= rollout.results
                _summarize(app, [results[spec] for spec in specs])
        else:
            _summarize(app, [results[spec] for spec in specs])
        _conclude(
            app,
            environment,
            [results[spec] for spec in specs],
            first=[one.spec for one in members if not one.plan.previous],
        )


def _say_nothing_to_do(app: App, sites: Sequence[Site], plans: Sequence[Plan], environment: Environment) -> None:
    from deploy.release.schedule import outdated

    alike: dict[str, list[str]] = {}
    for site, plan in zip(sites, plans, strict=True):
        alike.setdefault(plan.previous, []).append(site.shell.name)
    for previous, names in alike.items():
        run = "runs" if len(names) == 1 else "run"
        app.console.good(f"{names_of(names)} already {run} this as {previous}: nothing to do, nothing restarted.")
    for note in dict.fromkeys(str(note) for site in sites for note in outdated(site.first_look, environment)):
        app.console.warn(note)


def _look(
    app: App, environment: Environment, sites: Mapping[str, Site], *, rebuild: bool = False, no_proof: str = ""
) -> Mapping[str, tuple[Prepared, Plan]]:
    """What each host is to run, as the same release everywhere, and what that means for it."""
    from deploy.release.deploy import plan_deploy
    from deploy.release.initial import as_set_up

    _require_one_kind(ask(sites, lambda _, site: site.first_look.architecture))
    prepared = _prepared(app, environment, sites, rebuild=rebuild)
    local = Remembering(app.shell())

    def plan(_: str, site: Site) -> tuple[Prepared, Plan]:
        found = as_set_up(prepared[site.address], site)
        return found, plan_deploy(found, site, local, no_proof=no_proof)[0]

    return ask(sites, plan)


def _prepared(
    app: App, environment: Environment, sites: Mapping[str, Site], *, rebuild: bool
) -> Mapping[str, Prepared]:
    """The release by the address of a host: of all that a host is, compose files can depend on that alone.

    Most do not: where two addresses come to the same, it is not worked out for the others.
    """
    now = datetime.now(UTC)

    def prepare(_: str, site: Site) -> Prepared:
        return app.release(environment, site, now, rebuild=rebuild)

    by_address = {site.address: site for site in sites.values()}
    two, others = dict([*by_address.items()][:2]), dict([*by_address.items()][2:])
    found = {address: prepare(address, site) for address, site in two.items()}
    first, *second = found.values()
    if second == [first]:
        return dict.fromkeys(by_address, first)
    return {**found, **ask(others, prepare)}


def _require_one_kind(architectures: Mapping[str, str]) -> None:
    """An engine has one image under a name, and foreign images have one name for every kind of machine."""
    if len(set(architectures.values())) > 1:
        kinds = "; ".join(
            f"{kind}: {','.join(spec for spec, own in architectures.items() if own == kind)}"
            for kind in sorted(set(architectures.values()))
        )
        raise DeployError(
            f"these hosts are different kinds of machines ({kinds}); nothing was changed",
            "deploy to each kind by itself: add --host",
        )


def _member(spec: str, site: Site, prepared: Prepared, plan: Plan) -> Member:
    from deploy.release.fleet import Member
    from deploy.remote.connection import Host

    machine = f"{site.shell.target.hostname}:{site.shell.target.port}" if isinstance(site.shell, Host) else spec
    return Member(spec, machine, site, prepared, plan)


def _confirm_and_build(app: App, members: Sequence[Member], wanted: Wanted) -> list[Member]:
    """One question for all hosts; every image that one of them lacks is made, and scanned, once."""
    from deploy.release.deploy import obtain_and_build

    if any(member.plan.changes for member in members):
        app.console.confirm(
            f"Deploy this to {count(len(members), 'host')}?", yes=wanted.yes, consequence="this changes what users get"
        )
    made: set[str] = set()
    scans: dict[str, Mapping[str, int]] = {}
    for member in members:
        sources = member.prepared.sources
        lacking = tuple(name for name in member.plan.build if sources[name].reference not in made)
        foreign = tuple(image for image in member.plan.push if image not in made)
        if member.plan.changes and (lacking or foreign):
            plan = dataclasses.replace(member.plan, build=lacking, push=foreign)
            scans |= obtain_and_build(member.prepared, plan, app.shell(), app.console, rebuild=wanted.rebuild)
        made |= {*member.plan.push, *(sources[name].reference for name in member.plan.build)}
    return [dataclasses.replace(one, plan=dataclasses.replace(one.plan, scans=scans)) for one in members]


def _summarize(app: App, results: Sequence[HostResult]) -> None:
    app.console.say()
    for line in summary_lines(results):
        app.console.say(line)


def _conclude(app: App, environment: Environment, results: Sequence[HostResult], *, first: Sequence[str]) -> None:
    """Raises DeployError when a host has failed. Those of `first` have no release to go back to."""
    verbs = f"inv {environment.name}"
    bad = [result for result in results if result.outcome.bad]
    if bad:
        ahead = [one.host for one in results if one.outcome == HostOutcome.DEPLOYED and one.host not in first]
        back = ""
        if len(ahead) > MANY:
            back = f"; {verbs}.rollback takes it back on the {len(ahead)} hosts that have it"
        elif ahead:
            back = f"; {verbs}.rollback --host {','.join(ahead)} takes it back there too"
        raise DeployError(
            f"{len(bad)} of {count(len(results), 'host')} did not get the release",
            f"mend it and deploy again, which goes on with those that lack it{back}",
        )
    skipped = [result.host for result in results if result.outcome == HostOutcome.SKIPPED]
    without = f", without {names_of(skipped)}" if skipped else ""
    app.console.good(f"Done on {count(len(results) - len(skipped), 'host')}{without}.")
    app.console.say(f"Next: {verbs}.status.")
