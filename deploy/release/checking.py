"""Everything that is known to be wrong with a host before anything is built or changed, all of it at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from deploy.engine.clusters import image_major, majors
from deploy.engine.dockerfiles import dockerfile_text
from deploy.engine.images import missing
from deploy.engine.platforms import builder_platforms, is_native
from deploy.model.checks import (
    Problem,
    check_builder,
    check_by_hand,
    check_firewall,
    check_host,
    check_machine,
    check_majors,
    check_memory,
    check_names,
    check_proof,
    check_start_period,
    needed_on_host,
    with_reasons,
)
from deploy.model.edge import HTTP_PORT, HTTPS_PORT, Tls, published
from deploy.model.edge import images as edge_images
from deploy.model.errors import DeployError
from deploy.model.facts import Facts
from deploy.model.findings import found_migrations
from deploy.model.plan import Action, Plan, Wanted, make_plan
from deploy.model.swarm.move import check_leaving, leaves_cluster, with_leaving
from deploy.push.send import lacked_bytes
from deploy.release.edge_files import maintenance_page, tls_for
from deploy.release.names import addresses_of, unreachable
from deploy.release.prepare import Prepared
from deploy.release.schedule import outdated
from deploy.release.site import Site
from deploy.release.stores import newest_of
from deploy.shell import LocalShell


def outline(prepared: Prepared, site: Site, local: LocalShell) -> Plan:
    """What a deploy would do to a host as it was first looked at, without what exactly differs. Asks the host nothing.

    Raises UsageError for what invoke.yaml asks of the edge and cannot be.
    """
    facts = site.first_look
    tls = tls_for(prepared.environment, prepared.record)
    maintenance_page(prepared.environment)  # what cannot be shown is better known now
    edge = edge_images(tls) if prepared.record.public else ()
    plan = make_plan(wanted_of(prepared, facts, local, edge, tls), facts, site.layout)
    return with_leaving(plan, prepared.record, facts) if leaves_cluster(facts) else plan


def wanted_of(prepared: Prepared, facts: Facts, local: LocalShell, edge: Iterable[str], tls: Tls | None) -> Wanted:
    """What a plan is made from: the release, and which images are here for it. `edge` are those of the edge."""
    references = [*edge, *(source.reference for source in prepared.sources.values())]
    have = frozenset(references) - frozenset(missing(local, references))
    return Wanted(
        prepared.record,
        have,
        lacked_bytes(local, have - facts.images.keys(), facts.layers.values()),
        tuple(service.name for service in prepared.stack.with_command("migrate")),
        tls,
        found_migrations(prepared.stack),
        prepared.warnings,
    )


def host_problems(prepared: Prepared, site: Site, local: LocalShell | None = None) -> tuple[Problem, ...]:
    """All that would stop a deploy of this release to a host, or that its owner should know, each with its rule's id.

    Changes nothing. What cannot even be asked is a problem like the others; only a lost connection is raised.
    """
    here = local or LocalShell(prepared.root)
    try:
        return tuple(problems_of(prepared, outline(prepared, site, here), site, here))
    except DeployError as error:
        return (Problem(error.message, error.remedy, rule="host-plan"),)


def problems_of(
    prepared: Prepared, plan: Plan, site: Site, local: LocalShell, *, anyway: bool = False
) -> Iterator[Problem]:
    """The same for a plan that is made already; `anyway` only says that no backup was proved lately."""
    yield from with_reasons(_problems(prepared, plan, site, local, anyway=anyway), prepared.environment.allow)


def _problems(prepared: Prepared, plan: Plan, site: Site, local: LocalShell, *, anyway: bool) -> Iterator[Problem]:
    facts, environment, stack = site.first_look, prepared.environment, prepared.stack
    found = tuple(
        check_host(
            facts,
            prepared.record,
            site.layout,
            architecture=prepared.platform.partition("/")[2].partition("/")[0],
            incoming_bytes=plan.push_bytes,
            now=datetime.now(UTC),
            tls=tls_for(environment, prepared.record),
            direct={name: service.direct_ports for name, service in stack.services.items()},
        )
    )
    yield from found
    yield from check_leaving(facts, stack, site.layout)
    if facts.engine_version:  # without an engine nobody could answer the rest
        yield from _ruled("host-by-hand", check_by_hand(facts, stack, prepared.places, site.layout))
        yield from _ruled("host-missing", _absent(prepared, site))
        yield from _ruled("host-major", other_majors(prepared, plan, site, local))
        yield from _ruled("host-proof", proof_problems(prepared, plan, site, anyway=anyway))
        yield from _ruled("host-schedule", outdated(facts, environment))
    yield from _ruled("host-builder", _builder(prepared, plan, local))
    limits = {name: size for name, one in stack.services.items() if (size := one.memory_limit_bytes)}
    yield from check_memory(facts, prepared.record, site.layout, limits)
    yield from check_start_period(facts, stack)
    yield from check_machine(facts)
    yield from _way_in(prepared, site, facts)


def _ruled(rule: str, problems: Iterable[Problem]) -> Iterator[Problem]:
    return (one if one.rule else dataclasses.replace(one, rule=rule) for one in problems)


def _way_in(prepared: Prepared, site: Site, facts: Facts) -> Iterator[Problem]:
    """Names and firewalls. Several hosts share what the DNS says of a name; each has its own way to be reached."""
    at = site.host_address
    if not at:  # this very machine
        return
    environment = prepared.environment
    if names := [name for own in environment.domains.values() for name in own]:
        found = addresses_of(dict.fromkeys([at, *names]))
        yield from check_names(facts, {name: found[name] for name in names}, found[at] or ())
    public = {one.port.published: one.service for one in prepared.record.public if not one.port.local}
    tls = tls_for(environment, prepared.record)
    wanted = dict.fromkeys((HTTP_PORT, HTTPS_PORT) if tls else (), "certificates") | public
    data = {service.name: service.direct_ports for service in prepared.stack.data}
    runs = published(facts.edge) if facts.edge and facts.edge_serves else frozenset[int]()
    listened = wanted.keys() & runs & facts.listening
    yield from check_firewall(facts, wanted, data, unreachable(at, sorted(listened)) if site.direct else ())


def proof_problems(prepared: Prepared, plan: Plan, site: Site, *, anyway: bool) -> Iterator[Problem]:
    """Stores without a backup to go back to; one round trip where the environment wants there to be one."""
    facts, environment = site.first_look, prepared.environment
    if environment.deploy_needs_proof_h and facts.live:
        _, proved, _ = newest_of(site, facts, prepared.environment)
        yield from check_proof(facts, plan, proved, environment, anyway=anyway)


def _absent(prepared: Prepared, site: Site) -> Iterator[Problem]:
    """What the stack takes to be on the host and is not; one round trip where it takes anything."""
    needed = {(one.what, one.name): one for one in needed_on_host(prepared.stack, prepared.places)}
    if needed:
        words = (word for key in needed for word in key)
        done = site.shell.run(site.bare("absent.sh", str(site.layout.root), *words))
        for line in done.stdout.splitlines():
            what, _, name = line.partition(" ")
            yield needed[what, name].problem


def other_majors(prepared: Prepared, plan: Plan, site: Site, local: LocalShell) -> Iterator[Problem]:
    """Databases that would not start on their data; one round trip where one is to be started anew."""
    starting = {one.name for one in plan.data if one.action in {Action.CREATE, Action.REPLACE}}
    services = [one for one in prepared.stack.data if one.name in starting]
    # containers that somebody runs by hand have the project's own name
    projects = (site.layout.data_project, site.layout.project)
    found = majors(site.shell, projects, prepared.stack, services)
    # what is to be pushed is here, and a tag is only a word
    runs = {one.name: one.runs for one in services}
    known = [dataclasses.replace(one, image=image_major(local, runs[one.service]) or one.image) for one in found]
    yield from check_majors(known, f" --env {prepared.environment.name} --host {site.shell.name}")


def _builder(prepared: Prepared, plan: Plan, local: LocalShell) -> Iterator[Problem]:
    """What keeps images from being built for a host that is another kind of machine than this one."""
    builds = {name: prepared.stack.services[name].build for name in plan.build}
    if not builds or is_native(prepared.platform):
        return
    texts = {name: dockerfile_text(one) for name, one in builds.items() if one}
    builder = prepared.environment.builder
    yield from check_builder(texts, prepared.platform, builder, builder_platforms(local, builder))
