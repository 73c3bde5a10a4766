"""What of a stack cannot become releases that stand side by side."""

from __future__ import annotations

from collections.abc import Iterator

from deploy.model.checks.carried import check_carried
from deploy.model.checks.places import check_places
from deploy.model.checks.problem import Problem
from deploy.model.edge import SERVERS
from deploy.model.kinds import FOREIGN_STATE, POSTGRES_IMAGES, Kind, image_name
from deploy.model.receiver import receiver_of, receiving
from deploy.model.rules.rule import Severity, rule
from deploy.model.rules.subject import Subject, at


@rule(
    "not-in-a-release",
    Severity.ERROR,
    "Something of the stack would not be in a release what it is in its compose file",
    why="""
    Every release is a compose project of its own beside the one that is live, and data services live in another:
    what a service shares with one of another project, a fixed address for example, two releases cannot both have.
    """,
    fix="The problem says it. docs/compose.md lists what is carried and how.",
    in_plan=True,
)
def not_in_a_release(subject: Subject) -> Iterator[Problem]:
    yield from check_carried(subject.stack, cluster=subject.cluster)


@rule(
    "mount",
    Severity.ERROR,
    "A mount is not there, or loses what is written to it",
    why="""
    Compose makes an empty folder of a file that is missing. What is written to a folder that git knows goes with
    its release.
    """,
    fix="Create it or mend its path; say `:ro` when nothing is written; `x-deploy: {keep: [/its/path]}` keeps what is.",
    in_plan=True,
)
def mount(subject: Subject) -> Iterator[Problem]:
    yield from check_places(subject.stack, subject.places)


@rule(
    "too-many-replicas",
    Severity.ERROR,
    "More replicas than the edge reaches",
    why="The edge has a fixed number of servers for each service, so that it is never loaded anew for a release.",
    fix=f"At most {SERVERS} replicas of a service that is reached from outside.",
    in_plan=True,
)
def too_many_replicas(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.public:
        if service.replicas > SERVERS:
            yield Problem(
                f"{service.name}: {service.replicas} replicas, the edge reaches {SERVERS}",
                f"set at most {SERVERS}",
                path=at(service, "deploy", "replicas"),
            )


@rule(
    "taken-for-a-store",
    Severity.WARNING,
    "A service is taken for a store, and is replaced with a gap",
    why="""
    A service that is not built here and writes to a volume lives on across releases: two of a database on one
    volume would destroy it.
    """,
    fix="`x-deploy: {kind: web}` beside it, when two of it may run at once.",
    in_plan=True,
)
def taken_for_a_store(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.data:
        if service.kind_reason.startswith(FOREIGN_STATE):
            yield Problem(
                f"{service.name} is taken for {service.kind_reason}: it lives on across releases, and is replaced "
                "with a gap when it changes itself",
                "x-deploy: {kind: web} when two of it may run at once",
                path=at(service),
            )


@rule(
    "point-in-time",
    Severity.ERROR,
    "Point in time is asked for where it cannot be had",
    why="The log that any moment is restored from is PostgreSQL's.",
    fix="Leave `x-deploy.point_in_time` out of services that are not PostgreSQL.",
    in_plan=True,
)
def point_in_time(subject: Subject) -> Iterator[Problem]:
    for service in receiving(subject.stack):
        path = at(service, "x-deploy", "point_in_time")
        if service.kind != Kind.DATA or image_name(service.runs) not in POSTGRES_IMAGES:
            what = f"{service.name} runs {service.runs or 'an image of its own'}"
            yield Problem(f"{what}: point in time is for PostgreSQL", "leave point_in_time out", path=path)
        if receiver_of(service.name) in subject.stack.services:
            yield Problem(
                f"{receiver_of(service.name)} is the name of what receives the WAL of {service.name}",
                "call your service something else",
                path=path,
            )
