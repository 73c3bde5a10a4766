"""The secrets of a project: what they are called, who says them, which services have them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from deploy.model.kinds import Kind
from deploy.model.rules.given import (
    Given,
    Origin,
    Source,
    given,
    place_of_variable,
    source_of,
    source_of_text,
)
from deploy.model.rules.subject import Subject, references_in
from deploy.model.stack import Service, unescaped

_NAME = re.compile(
    r"(?:.*_|PG|)(?:PASSWORD|PASSWD|PASS|PWD|PASSPHRASE|SECRET|SECRET_KEY|SECRET_KEY_BASE|SECRET_ACCESS_KEY|TOKEN|"
    r"PRIVATE_KEY|API_KEY|APIKEY|ENCRYPTION_KEY|SIGNING_KEY|MASTER_KEY|JWT_KEY|SESSION_KEY|SALT)(?:_?\d+)?|APP_KEY",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"(?:.*_)?(?:ALLOW|RANDOM|REQUIRE|USE|ENABLE|DISABLE|NO|HAS|SHOW|RESET|SKIP|WITHOUT)_.*|"
    r"(?:NEXT_PUBLIC|NUXT_PUBLIC|VITE|REACT_APP|PUBLIC|VUE_APP|EXPO_PUBLIC)_.*|(?:OLD)?PWD|"
    r"(?:.*_)?(?:BY|FASTCGI|PROXY|UWSGI)_PASS",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"APP_KEY|(?:.*_)?(?:SECRET_KEY|SECRET_KEY_BASE|ENCRYPTION_KEY|SIGNING_KEY|MASTER_KEY|JWT_KEY|SESSION_KEY|"
    r"(?:JWT|SESSION|COOKIE|NEXTAUTH|AUTH|APP|CSRF|HMAC|SIGNING)_(?:\w+_)?SECRET)",
    re.IGNORECASE,
)
_FOREIGN = re.compile(
    r"(?:.*_)?(?:TOKEN|API_KEY|APIKEY|SECRET_ACCESS_KEY|PRIVATE_KEY|CLIENT_SECRET|WEBHOOK_SECRET|SALT)", re.IGNORECASE
)
_SWITCHES = frozenset({"true", "false", "yes", "no", "on", "off", "none", "null"})
_URL = re.compile(r"\w[\w+.-]*://(?P<user>(?:[^:/@\s${}]|\$\{[^}]*\})*):(?P<password>(?:[^@/\s${}]|\$\{[^}]*\})+)@")
_FOLDERS = ("./", "/app/", "/etc/", "/run/", "/secrets/", "/var/")
"""Where a path begins that a secret is read from."""
_USERS = ("USER", "USERNAME", "LOGIN", "NAME")


@dataclass(frozen=True)
class Secret:
    """A value that nobody else should know. Never shown."""

    name: str
    """What it is called where it is set: a variable of the env file, or of a service."""
    value: str = field(repr=False)
    source: Source
    path: tuple[str, ...]
    place: str
    services: tuple[str, ...]
    user: str = field(default="", repr=False)
    """Who logs in by it; empty where that is not known."""
    file: str = ""
    """The compose file that says it; empty where none does."""
    in_url: bool = False
    """Whether it is a part of an address."""

    @property
    def key(self) -> bool:
        """Whether it signs or encrypts something."""
        return bool(_KEY.fullmatch(self.name))

    @property
    def foreign(self) -> bool:
        """Whether it may be what somebody else has made up."""
        return not self.key and bool(_FOREIGN.fullmatch(self.name))

    @property
    def called(self) -> str:
        """`POSTGRES_PASSWORD (db, backend)`."""
        what = f"the password in {self.name}" if self.in_url else self.name
        return f"{what} ({', '.join(self.services)})"


def is_secret(name: str, value: str = "") -> bool:
    """Whether a variable of this name holds a secret rather than, say, how long one is."""
    other = value.lower() in _SWITCHES or "://" in value or value.startswith(_FOLDERS)
    return bool(_NAME.fullmatch(name)) and not _ASKS.fullmatch(name) and not other


def secrets_of(subject: Subject) -> tuple[Secret, ...]:
    """Each secret once, with all services that are given it; what only stands in for one is left out."""
    found: dict[tuple[str, ...], Secret] = {}
    # told of the database rather than of who asks it
    in_order = sorted(given(subject), key=lambda one: one.service.kind != Kind.DATA)
    everywhere = (secret for one in in_order for secret in _in(one, subject))
    for secret in (*everywhere, *_in_files(subject)):
        if not secret.value or secret.source.origin == Origin.STOOD_IN:
            continue
        variable = secret.source.variable
        key = ("variable", variable, secret.value) if variable else ("own", *secret.services, secret.name)
        known = found.get(key, secret)
        services = tuple(dict.fromkeys((*known.services, *secret.services)))
        found[key] = dataclasses.replace(known, services=services, user=known.user or secret.user)
    return tuple(found.values())


def _in_files(subject: Subject) -> Iterator[Secret]:
    """Variables that services get as a file: `secrets: {token: {environment: TOKEN}}`."""
    for name, raw in (subject.stack.document.get("secrets") or {}).items():
        variable = str(raw.get("environment") or "")
        if not is_secret(variable):
            continue
        users = (one.name for one in subject.stack.services.values() if _has(one, name))
        yield Secret(
            name=variable,
            value=unescaped(str(raw.get("content") or "")),
            source=source_of_text(f"${{{variable}}}", subject),
            path=("secrets", name, "environment"),
            place=place_of_variable(variable, subject),
            services=tuple(users) or (name,),
        )


def _has(service: Service, secret: str) -> bool:
    return any(one.get("source") == secret for one in service.definition.get("secrets") or ())


def _in(one: Given, subject: Subject) -> Iterator[Secret]:
    """The secrets in one variable of a service."""
    source = source_of(one, subject)
    if is_secret(one.name, one.value) or (source.variable and is_secret(source.variable, one.value)):
        if source.origin != Origin.PARTS:
            yield _secret(one, one.value, source, subject, user=_user(one))
    elif url := _URL.search(one.value):
        written = _URL.search(one.written or "")
        whole = source_of_text(written["password"], subject) if written else source
        if whole.origin != Origin.PARTS:
            secret = _secret(one, url["password"], whole, subject, user=url["user"])
            yield dataclasses.replace(secret, in_url=not (whole.variable and is_secret(whole.variable)))
    elif source.origin == Origin.PARTS:
        for name, _, _ in references_in(one.written or ""):
            known = subject.env.get(name) if subject.env else None
            if known and is_secret(name, known.value):
                yield _secret(one, known.value, source_of_text(f"${{{name}}}", subject), subject)


def _secret(one: Given, value: str, source: Source, subject: Subject, user: str = "") -> Secret:
    own = source.origin in {Origin.WRITTEN, Origin.DEFAULT}
    return Secret(
        name=source.variable or one.name,
        value=value,
        source=source,
        path=one.path,
        place="" if own else place_of_variable(source.variable, subject),
        services=(one.service.name,),
        user=user,
        file=one.file,
    )


def _user(one: Given) -> str:
    """The name that goes with a password: `POSTGRES_USER` with `POSTGRES_PASSWORD`."""
    begin = re.sub(r"(?:PASSWORD|PASSWD|PASS|PWD|SECRET_KEY)$", "", one.name, flags=re.IGNORECASE)
    if begin == one.name:
        return ""
    names = (f"{begin}{word}" for word in _USERS)
    environment = one.service.environment
    return str(next((environment[name] for name in names if environment.get(name)), ""))
