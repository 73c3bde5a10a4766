"""What belongs on the machine of whoever works on it, and not where others rely on it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deploy.model.checks.problem import Problem
from deploy.model.kinds import image_name
from deploy.model.places import Place, bind_mounts, local_path
from deploy.model.rules.given import Given, given, place_of
from deploy.model.rules.rule import Severity, rule
from deploy.model.rules.started import Started, started
from deploy.model.rules.subject import Subject, at
from deploy.model.stack import Service

_DEBUG = re.compile(r"(?!.*LOG)(?:.*_)?DEBUG(?:_MODE)?", re.IGNORECASE)
_STAGES = {
    "APP_ENV": {"local", "dev", "development"},
    "ASPNETCORE_ENVIRONMENT": {"development"},
    "DOTNET_ENVIRONMENT": {"development"},
    "FLASK_ENV": {"development"},
    "GIN_MODE": {"debug"},
    "MIX_ENV": {"dev"},
    "NODE_ENV": {"development", "dev"},
    "RACK_ENV": {"development"},
    "RAILS_ENV": {"development"},
}
"""Variables by which a framework knows where it is, and what they say at a developer's."""
_RELOADS = re.compile(
    r"""(?:^|[\s;&|/'"])(?:
        runserver(?:_plus)? | nodemon | ts-node-dev | webpack-dev-server | watchmedo | reflex
        | flask\b[^;&|]*?\brun | fastapi\ dev | php\ artisan\ serve | php\ -S | dotnet\ watch | cargo[\ -]watch
        | (?:npm|pnpm|yarn|bun)(?:\s+-\S+(?:\s+[^-\s]\S*)?)*?(?:\s+run)?\s+(?:start:dev|dev|watch|serve|develop)
        | (?:next|nuxt|nuxi|astro|remix|gatsby|wrangler)\ (?:dev|develop) | (?:ng|webpack|vue-cli-service)\ serve
        | react-scripts\ start | nest\ start\ --watch | tsx\ watch | node\ --watch | vite(?:\ (?:dev|serve|--\S+).*)?$
        | air(?:\ -c\ \S+)?$ | (?:rails|bin/rails)\ s(?:erver)? | hugo\ server | jekyll\ serve
    )(?=$|[\s;&|'"])""",
    re.VERBOSE,
)
_RELOAD_OPTION = re.compile(r"(?:^|\s)--(?:auto-?)?reload(?=$|\s|=true)")
_CODE = frozenset(
    "py js mjs cjs ts tsx jsx vue svelte rb php go rs java kt cs ex exs scala clj erl".split()  # noqa: SIM905
)
_SYNCHRONIZE = re.compile(
    r"(?:.*_)?(?:DB|TYPEORM|DATABASE|ORM|SCHEMA|MIKRO_ORM)_(?:AUTO_)?SYNCHRONI[SZ]E", re.IGNORECASE
)
_DDL = re.compile(r"(?:.*[_.])?(?:DDL[_.-]?AUTO|HBM2DDL[_.]AUTO|DATABASE[_.]GENERATION)", re.IGNORECASE)
_DDL_OPTION = re.compile(r"(?:ddl-auto|hbm2ddl\.auto|database\.generation)=(\S+)")
_CHANGES = frozenset({"update", "create", "create-drop", "create-only", "drop-and-create", "drop"})
_MAIL_IMAGES = frozenset({"mailhog", "mailpit", "maildev", "mailcatcher", "smtp4dev", "papercut-smtp", "inbucket"})


@rule(
    "debug-on",
    Severity.ERROR,
    "Debugging is on",
    why="""
    A framework that debugs shows its settings and its source to whoever makes it fail; the debuggers of Flask and
    Laravel run what a visitor sends. It stops a deploy where it is one of these, or Django; elsewhere it is warned of.
    """,
    fix='`DEBUG: "False"` in the compose file of this environment, and `NODE_ENV: production` and its like.',
)
def debug_on(subject: Subject) -> Iterator[Problem]:
    for one in _all_given(subject):
        stages = _STAGES.get(one.name.upper(), set())
        debugs = bool(_DEBUG.fullmatch(one.name)) and one.true
        settings = one.name == "DJANGO_SETTINGS_MODULE" and bool(re.search(r"\.(dev|development|local)$", one.value))
        if debugs or settings or one.value.lower() in stages:
            yield Problem(
                f"{one.service.name}: {one.name} is {one.value}",
                f'{one.name}: "False"' if debugs else "say what production is called there",
                fatal=debugs and _runs_code(one, subject),
                path=one.path,
                place=place_of(one, subject) or _in_dockerfile(one, subject),
            )


@rule(
    "reload-server",
    Severity.WARNING,
    "A server for development serves visitors",
    why="""
    It watches its files, serves one request at a time or builds on the way, and is not made to be attacked: its
    authors say so.
    """,
    fix="gunicorn, uvicorn without `--reload`, `next start`, or the built pages behind nginx.",
)
def reload_server(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.services.values():
        runs = started(service, subject)
        if found := _reloads(runs, service):
            yield Problem(
                f"{service.name} runs {found}, which is for development",
                "run what is made for production: gunicorn, next start, the built pages behind nginx",
                path=runs.path,
                place=runs.place,
            )


@rule(
    "source-mount",
    Severity.WARNING,
    "Code is mounted over the image's own",
    why="""
    What runs is then not what was built and tested: the image's own files, installed packages among them, are
    hidden by the folder, and going back to an older image changes nothing.
    """,
    fix="Leave the mount to the compose file for development.",
)
def source_mount(subject: Subject) -> Iterator[Problem]:
    for name, mount in bind_mounts(subject.stack):
        service, placement = subject.stack.services[name], subject.places.of(mount)
        if service.build is None or not service.build.local or placement.place != Place.SHIPPED:
            continue
        target = str(mount.get("target"))
        source, context = local_path(str(mount["source"])), local_path(service.build.context)
        near = source.is_relative_to(context) or context.is_relative_to(source)
        if near and any(member.rpartition(".")[2] in _CODE for member in placement.members or ()):
            yield Problem(
                f"{name} has {subject.places.relative(str(mount['source']))} mounted over its image at {target}",
                "leave it to the compose file for development",
                path=at(service, "volumes", subject.written_as(service, "volumes", f":{target}", target)),
            )


@rule(
    "schema-synchronize",
    Severity.ERROR,
    "The schema is changed as the application starts",
    why="""
    An ORM that makes tables fit its classes drops the column that was renamed, with what is in it. Two replicas do so
    at once, and no release can be gone back from.
    """,
    fix='`DB_SYNCHRONIZE: "false"`, `ddl-auto: validate`, and migrations: `x-deploy: {migrate: …}`.',
)
def schema_synchronize(subject: Subject) -> Iterator[Problem]:
    for one in _all_given(subject):
        orm = bool(_SYNCHRONIZE.fullmatch(one.name)) and one.true
        ddl = bool(_DDL.fullmatch(one.name)) and one.value.strip().lower() in _CHANGES
        option = _DDL_OPTION.search(one.value) if "OPT" in one.name.upper() else None
        if orm or ddl or (option and option[1].lower() in _CHANGES):
            yield Problem(
                f"{one.service.name}: {one.name} is {option[0] if option else one.value}",
                "switch it off, and change the schema by migrations (x-deploy.migrate)",
                path=one.path,
                place=place_of(one, subject) or _in_dockerfile(one, subject),
            )
    for service in subject.stack.services.values():
        runs = started(service, subject)
        found = _DDL_OPTION.search(runs.text)
        if found and found[1].lower() in _CHANGES:
            yield Problem(
                f"{service.name} runs with {found[0]}",
                "ddl-auto=validate, and change the schema by migrations (x-deploy.migrate)",
                path=runs.path,
                place=runs.place,
            )


@rule(
    "dev-mail",
    Severity.WARNING,
    "Mails are caught rather than sent",
    why="What is sent to it reaches nobody, and everybody who reaches its page reads it, password resets among it.",
    fix="Leave it to the compose file for development, and give the application a mail server.",
)
def dev_mail(subject: Subject) -> Iterator[Problem]:
    for service in subject.stack.services.values():
        if (name := image_name(service.runs)) in _MAIL_IMAGES:
            yield Problem(
                f"{service.name} ({name}) keeps mails instead of sending them",
                "leave it to the compose file for development",
                path=at(service, "image"),
            )


def _all_given(subject: Subject) -> Iterator[Given]:
    """What services are given, and what their Dockerfiles set that nobody sets otherwise."""
    yield from given(subject)
    for service in subject.stack.services.values():
        for name, value in subject.recipe(service).environment.items():
            if name not in service.environment:
                yield Given(service, name, value, None, at(service, "build"))


def _in_dockerfile(one: Given, subject: Subject) -> str:
    file = subject.dockerfiles.get(one.service.name)
    return file.last("ENV", one.name) if file and one.name not in one.service.environment else ""


def _runs_code(one: Given, subject: Subject) -> bool:
    """Whether it is a framework's whose debugging gives away everything, or runs what visitors send."""
    name, service = one.name.upper(), one.service
    commands = [service.options.command(word) for word in ("migrate", "pending", "shell", "test")]
    text = " ".join((started(service, subject).text, *(" ".join(words) for words in commands if words)))
    if name == "DJANGO_DEBUG":
        return True
    if name == "FLASK_DEBUG":  # which other servers pass over
        return not re.search(r"gunicorn|uwsgi|waitress|hypercorn", started(service, subject).text)
    if name == "APP_DEBUG":
        return "artisan" in text or str(service.environment.get("APP_KEY") or "").startswith("base64:")
    return name == "DEBUG" and ("manage.py" in text or "DJANGO_SETTINGS_MODULE" in service.environment)


def _reloads(runs: Started, service: Service) -> str:
    """What of a command is for development; empty when nothing."""
    if "nginx" in runs.text:
        return ""
    if option := _RELOAD_OPTION.search(runs.text):
        return option[0].strip()
    found = _RELOADS.search(runs.text)
    text = found[0].strip(" ;&|/'\"") if found else ""
    rails = text.startswith(("rails", "bin/rails"))
    return "" if rails and service.environment.get("RAILS_ENV") == "production" else text
