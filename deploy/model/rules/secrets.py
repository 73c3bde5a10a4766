"""Secrets that are missing, weak, or known to everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations

from deploy.model.checks.problem import Problem
from deploy.model.findings.env_files import placeholders
from deploy.model.rules.given import Origin, given, place_of_variable, source_of
from deploy.model.rules.rule import Severity, rule
from deploy.model.rules.secret_values import Secret, is_secret, secrets_of
from deploy.model.rules.strength import DEFAULTS, SHORT, SHORT_KEY, looks_random, weakness
from deploy.model.rules.subject import Subject

_NEEDED = re.compile(r"(.*_)?(PASSWORD|SECRET_KEY)", re.IGNORECASE)
_OPTIONAL = re.compile(r"(.*_)?(EMAIL|MAIL|SMTP|LDAP|PROXY|SENTRY)_.*", re.IGNORECASE)
"""What a project has where it uses somebody else's service, and leaves blank where it does not."""
_HINT = re.compile(r"<.*>")


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
    for one in given(subject):
        if one.value or not is_secret(one.name):
            continue
        source = source_of(one, subject)
        if source.origin != Origin.STOOD_IN:
            yield Problem(
                f"{one.service.name}: {one.name} is blank",
                "set it in the environment's env file",
                fatal=bool(_NEEDED.fullmatch(one.name)) and not _OPTIONAL.fullmatch(one.name),
                path=one.path,
                place=place_of_variable(source.variable, subject),
            )


@rule(
    "default-password",
    Severity.ERROR,
    "A password is one that is tried first",
    why="""
    `postgres`/`postgres`, `guest`/`guest`, `minioadmin`: what images and tutorials come with, and what is the
    user's own name, is what every scanner begins with.
    """,
    fix="""
    A random one in the env file: `POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?}` in the compose file. A database knows
    the one that its volume was made with: change it there first (`ALTER ROLE … PASSWORD …`).
    """,
)
def default_password(subject: Subject) -> Iterator[Problem]:
    for one in secrets_of(subject):
        if _is_default(one):
            why = "is its user's name" if _is_user(one) else "is one of those that are tried first"
            yield _problem(one, why, "set a random one in the env file; change it in the database first")


@rule(
    "example-secret",
    Severity.ERROR,
    "A secret is an example's",
    why="What stands in an example or as a default in a compose file is known to everybody who can read the project.",
    fix="""
    Give it a value of its own in the env file, and ask for it in the compose file: `${SECRET_KEY:?}` instead of
    `${SECRET_KEY:-…}`.
    """,
)
def example_secret(subject: Subject) -> Iterator[Problem]:
    for one in secrets_of(subject):
        if _is_default(one):
            continue
        if one.source.origin == Origin.DEFAULT:
            remedy = f"set {one.name} in the env file"
            yield _problem(one, "is the default that stands in the compose file", remedy, fatal=not one.foreign)
        elif why := _from_example(one, subject):
            yield _problem(one, why, "set a random one: openssl rand -hex 32")


@rule(
    "weak-secret",
    Severity.ERROR,
    "A secret can be guessed",
    why=f"""
    Fewer than 8 characters are found by trying all there are: that stops a deploy. Below {SHORT} a password can be
    tried out by whoever gets at its hash or may ask often. A key that signs needs {SHORT_KEY}: who has one signature,
    a cookie for example, tries keys at home. Of these, and of what is a word or repeats itself, a deploy only warns.
    """,
    fix="""
    `openssl rand -hex 32`, or `<random:32>` in the example, which is replaced when an env file is made of it. A
    database has to learn a new password first: `ALTER ROLE … PASSWORD …`.
    """,
)
def weak_secret(subject: Subject) -> Iterator[Problem]:
    for one in secrets_of(subject):
        if _is_default(one) or one.source.origin == Origin.DEFAULT or _from_example(one, subject):
            continue
        why, short = weakness(one.value, key=one.key)
        if why:
            text = f"{why}, {SHORT_KEY if one.key else SHORT} are wanted" if why.startswith("has") else why
            yield _problem(one, text, "openssl rand -hex 32 gives a good one", fatal=short and not one.foreign)


@rule(
    "secret-in-compose",
    Severity.WARNING,
    "A secret is written into a compose file that git keeps",
    why="""
    Everybody who has ever had the repository has it, for good: a later commit takes nothing out of the history. And
    it is the same in every environment.
    """,
    fix="`POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?}`, with a new value in the env file, which git ignores.",
)
def secret_in_compose(subject: Subject) -> Iterator[Problem]:
    for one in _written(subject):
        if not one.in_url:
            remedy = f"{one.name}: ${{{one.name}:?}}, with a new value in the env file"
            yield _problem(one, "stands in the compose file", remedy)


@rule(
    "url-password",
    Severity.WARNING,
    "An address in a compose file has a password in it",
    why="""
    Everybody who can read the project can read it, and it is easily forgotten when the password is changed: it
    stands in two places.
    """,
    fix="`postgres://shop:${POSTGRES_PASSWORD:?}@db/shop`.",
)
def url_password(subject: Subject) -> Iterator[Problem]:
    for one in _written(subject):
        if one.in_url:
            yield _problem(one, "stands in the compose file", "put a variable of the env file there: ${DB_PASSWORD:?}")


@rule(
    "shared-secret",
    Severity.WARNING,
    "Two secrets are the same",
    why="Whoever comes by one of them has both: a password in a log signs sessions, a cache's opens the database.",
    fix="Give each a value of its own.",
)
def shared_secret(subject: Subject) -> Iterator[Problem]:
    named = {one.name: one for one in secrets_of(subject) if not _is_default(one) and not one.in_url}
    for one, other in combinations(named.values(), 2):
        if one.value == other.value and _differ(one, other):
            yield _problem(other, f"is the same as {one.name}", "give each a value of its own")


def _problem(one: Secret, why: str, remedy: str, *, fatal: bool = True) -> Problem:
    return Problem(f"{one.called} {why}", remedy, fatal=fatal, path=one.path, place=one.place)


def _written(subject: Subject) -> Iterator[Secret]:
    """Secrets that compose files say themselves. Without git, a file is taken to be shared."""
    for one in secrets_of(subject):
        if one.source.origin == Origin.WRITTEN and (subject.tracked is None or one.file in subject.tracked):
            yield one


def _is_user(one: Secret) -> bool:
    return bool(one.user) and one.value.lower() == one.user.lower()


def _is_default(one: Secret) -> bool:
    return one.value.lower() in DEFAULTS or _is_user(one)


def _from_example(one: Secret, subject: Subject) -> str:
    """Why a secret is taken for an example's; empty when it is not."""
    if _HINT.fullmatch(one.value):
        return "is what an example says instead of a value"
    known = subject.example.get(one.source.variable) if subject.example else None
    if subject.example and known and known.value in {one.value, _in_env(one, subject)}:
        return f"is the one in {subject.example.path}"
    looks = placeholders({"PASSWORD": one.value}) or one.value.lower() == one.name.lower()
    insecure = "insecure" in one.value.lower()
    return "looks like an example's" if looks and (insecure or not looks_random(one.value)) else ""


def _in_env(one: Secret, subject: Subject) -> str:
    """As the env file has it, before its own dollars and quotes are read."""
    found = subject.env.get(one.source.variable) if subject.env else None
    return found.value if found else one.value


_DATABASES = frozenset(
    "POSTGRES POSTGRESQL PG DB DATABASE MYSQL MARIADB SQL SQLALCHEMY DJANGO TYPEORM PRISMA".split()  # noqa: SIM905
)
_ROOTS = frozenset({"ROOT", "ADMIN", "SUPERUSER", "MASTER"})
_NOTHING = frozenset("PASSWORD PASSWD PASS PWD SECRET TOKEN KEY API APP SERVICE DEFAULT USER MAIN".split())  # noqa: SIM905


def _differ(one: Secret, other: Secret) -> bool:
    """Whether two names mean two secrets, rather than one as a server and its clients call it."""
    if one.key != other.key:
        return True
    first, second = _words(one.name), _words(other.name)
    if one.key:
        return first != second
    if (first & _ROOTS) != (second & _ROOTS):
        return True
    first, second = first - _ROOTS, second - _ROOTS
    return bool(first and second) and not first & second


def _words(name: str) -> frozenset[str]:
    """`POSTGRES_PASSWORD` and `DB_PASSWORD` to the same word, since they are."""
    words = frozenset(re.split(r"[^A-Z]+", name.upper().removeprefix("PG"))) - {""}
    found = frozenset("DB" if word in _DATABASES else word for word in words if word not in _NOTHING)
    return found | ({"DB"} if name.upper().startswith("PGPASS") else frozenset())
