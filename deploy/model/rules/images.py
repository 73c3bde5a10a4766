"""Images: whether it is known what they are, and whether anybody still mends them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

from deploy.model.checks.problem import Problem
from deploy.model.dockerfile import base_images
from deploy.model.kinds import POSTGRES_IMAGES, image_name
from deploy.model.rules.end_of_life import AS_OF, ends_of, longest
from deploy.model.rules.rule import Severity, rule
from deploy.model.rules.stages import built_lines
from deploy.model.rules.subject import Subject, at

BOUND_TO_MAJOR = POSTGRES_IMAGES | {
    "elasticsearch",
    "influxdb",
    "mariadb",
    "mongo",
    "mongodb-community-server",
    "mysql",
    "mysql-server",
    "neo4j",
    "opensearch",
    "percona",
    "percona-server",
}
"""Stores whose next major version does not read, or changes for good, what the one before has written."""
MOVING = frozenset(
    "latest stable lts edge main master nightly mainline current canary rolling dev develop head".split()  # noqa: SIM905
)
SOON = dt.timedelta(days=90)
"""How long before its end an image is warned of."""
_SYSTEM = re.compile(r"(alpine|debian|ubuntu|bookworm|bullseye|trixie|focal|jammy|noble|oracle(linux)?|ubi)[\d.]*")


@dataclass(frozen=True)
class Used:
    """An image that a service runs, or that its own one is built from."""

    reference: str
    service: str
    own: bool
    """Whether the service runs on it; not where only a step of its build does."""
    path: tuple[str, ...]
    place: str = ""

    @property
    def name(self) -> str:
        return image_name(self.reference)

    @property
    def tag(self) -> str:
        """Empty where there is none."""
        return self.reference.split("@", 1)[0].rsplit("/", 1)[-1].partition(":")[2]

    @property
    def fixed(self) -> bool:
        """Whether it is named by its content."""
        return "@" in self.reference


def used_images(subject: Subject) -> Iterator[Used]:
    """Every image that comes from elsewhere, once for each line that names it."""
    seen: set[str] = set()
    for service in subject.stack.services.values():
        if service.build is None:
            if service.image:
                yield Used(service.image, service.name, True, at(service, "image"))
            continue
        if service.built_by:
            continue
        definition = service.build.definition
        arguments = {name: value for name, value in (definition.get("args") or {}).items() if value}
        contexts = definition.get("additional_contexts") or {}
        dockerfile = subject.dockerfiles.get(service.name)
        foreign = base_images(dockerfile.text, arguments, contexts, dockerfile.target) if dockerfile else ()
        for line in built_lines(service, subject):
            if line.word == "FROM" and line.base in foreign and (line.place or service.name) not in seen:
                seen |= {line.place} if line.place else set()
                yield Used(line.base, service.name, line.own, line.path, line.place)


@rule(
    "moving-tag",
    Severity.ERROR,
    "Nobody knows which version of an image it is",
    why="""
    A tag such as `latest` names another image tomorrow: a build or a new host gets a version that nobody tried. For a
    database it is an error: the next major version does not read what this one has written, or changes it for good.
    """,
    fix="Name the version, a database's major one at least: `postgres:17`.",
)
def moving_tag(subject: Subject) -> Iterator[Problem]:
    for one in used_images(subject):
        if one.fixed:
            continue
        database = one.own and one.name in BOUND_TO_MAJOR and not re.search(r"\d", _SYSTEM.sub("", one.tag))
        if database:
            yield Problem(
                f"{one.service}: {one.reference} does not say which major version of the database it is: one day it is "
                "one that does not read this one's data",
                f"name the one that it runs now, as in {one.name}:MAJOR",
                path=one.path,
                place=one.place,
            )
        elif not one.tag or {one.tag, one.tag.split("-")[0]} & MOVING:
            yield Problem(
                f"{one.service}: {one.reference} is whatever is newest when it is pulled",
                f"name a version, as in {one.name}:VERSION",
                fatal=False,
                path=one.path,
                place=one.place,
            )


@rule(
    "end-of-life",
    Severity.WARNING,
    "An image of something that gets no security updates any more",
    why=f"""
    Holes that are found from then on stay open in it. Told from 90 days before the end, by a table of
    {AS_OF:%B %Y} (endoflife.date).
    """,
    fix="Move to a release that is kept up; for a database `inv db.upgrade` does, with its data.",
)
def end_of_life(subject: Subject) -> Iterator[Problem]:
    for one in used_images(subject):
        for what, end in ends_of(one.name, one.tag) if one.own else ():
            if subject.today < end - SOON:
                continue
            gone = f"has had no security updates since {end}" if end < subject.today else f"gets none after {end}"
            program = what.partition(" ")[0]
            best = longest(program)
            which = f"; {program} {best[0]} is until {best[1]}" if best and best[1] > subject.today else ""
            yield Problem(
                f"{one.service}: {one.reference}: {what} {gone}",
                f"move to one that is kept up{which}",
                path=one.path,
                place=one.place,
            )


@rule(
    "platform",
    Severity.WARNING,
    "Services of one stack are for different kinds of machine",
    why="They all run on one host: those that are not of its kind are emulated, several times slower, or do not start.",
    fix="Leave `platform` out: images are built and pulled for the host.",
)
def platform(subject: Subject) -> Iterator[Problem]:
    first: tuple[str, str] | None = None
    for service in subject.stack.services.values():
        wanted = "/".join(str(service.definition.get("platform") or "").split("/")[:2])
        if not wanted:
            continue
        if first is None:
            first = (service.name, wanted)
        elif wanted != first[1]:
            yield Problem(
                f"{service.name} is for {wanted}, and {first[0]} is for {first[1]}: no host is both",
                "leave platform out of both",
                path=at(service, "platform"),
            )
