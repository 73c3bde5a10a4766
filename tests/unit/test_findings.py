"""Commands found from a project's own files: per framework, and when they are kept back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.model.command import Command
from deploy.model.findings import Source, file_findings, findings_of, found_migrations, with_found
from deploy.model.findings.compose_files import ComposeFiles
from deploy.model.findings.env_files import EnvFile
from deploy.model.kinds import Kind
from deploy.model.migrations import framework_of
from deploy.model.recipe import read_recipe
from deploy.model.stack import Stack, parse_stack

PYTHON = "FROM python:3.13\nWORKDIR /app\nCOPY . .\n"
NODE = "FROM node:20\nWORKDIR /app\nCOPY . .\n"
PHP = "FROM php:8-fpm\nWORKDIR /var/www\nCOPY . .\n"
RUBY = "FROM ruby:3.3\nWORKDIR /rails\nCOPY . .\n"
ELIXIR = "FROM elixir:1.17 AS build\nWORKDIR /src\nCOPY . .\nFROM debian:trixie-slim\nWORKDIR /app\n"
DJANGO = {"manage.py": "os.environ['DJANGO_SETTINGS_MODULE']"}


def source(files: dict[str, str], dockerfile: str = PYTHON, **changes: Any) -> Source:
    return Source("/src", frozenset(files), files, read_recipe(dockerfile), **changes)


def package(**sections: Any) -> str:
    return json.dumps(sections)


def built(**services: dict[str, Any]) -> Stack:
    return parse_stack(
        {
            "services": {
                name: raw if "image" in raw else {"build": {"context": "/src"}} | raw for name, raw in services.items()
            }
        }
    )


def command(files: dict[str, str], dockerfile: str, name: str = "migrate", **service: Any) -> str:
    stack = built(web=service)
    found = with_found(stack, {"web": source(files, dockerfile)}).services["web"].options.command(name)
    return str(found) if found else ""


PRISMA = {
    "package.json": package(dependencies={"@prisma/client": "6"}, devDependencies={"prisma": "6"}),
    "prisma/schema.prisma": "",
    "prisma/migrations/migration_lock.toml": "",
}
TYPEORM = package(dependencies={"typeorm": "0.3"}, scripts={"migration:run": "typeorm migration:run -d dist/db.js"})
LARAVEL = {"artisan": "", "composer.json": package(require={"laravel/framework": "^12"})}
SYMFONY = {"bin/console": "", "composer.json": package(require={"doctrine/doctrine-migrations-bundle": "^3"})}
FLASK = {"requirements.txt": "Flask==3\nFlask-Migrate>=4\n", "migrations/env.py": "", "app.py": ""}
RAILS = {"bin/rails": "", "config/application.rb": "", "Gemfile": ""}


@pytest.mark.parametrize(
    ("files", "dockerfile", "migrate"),
    [
        (DJANGO, PYTHON, "python manage.py migrate --noinput"),
        ({"alembic.ini": ""}, PYTHON, "alembic upgrade head"),
        ({"pyproject.toml": "[tool.alembic]\nscript_location = 'x'"}, PYTHON, "alembic upgrade head"),
        (FLASK, PYTHON, "flask db upgrade"),
        ({"pyproject.toml": "[tool.aerich]\n"}, PYTHON, "aerich upgrade"),
        (PRISMA, NODE, "npx prisma migrate deploy"),
        ({"package.json": TYPEORM}, NODE, "npm run migration:run"),
        (
            {"package.json": package(dependencies={"typeorm": "0.3"}), "src/data-source.ts": ""},
            NODE,
            "npx typeorm migration:run -d dist/data-source.js",
        ),
        (
            {"package.json": package(devDependencies={"drizzle-kit": "1"}), "drizzle.config.ts": ""},
            NODE,
            "npx drizzle-kit migrate",
        ),
        ({"package.json": package(dependencies={"sequelize-cli": "6"})}, NODE, "npx sequelize-cli db:migrate"),
        (
            {"package.json": package(dependencies={"knex": "3"}), "knexfile.js": ""},
            NODE,
            "npx knex migrate:latest",
        ),
        (
            {"package.json": package(dependencies={"@mikro-orm/migrations": "6"})},
            NODE,
            "npx mikro-orm migration:up",
        ),
        (
            {"package.json": package(dependencies={"@adonisjs/lucid": "21"})},
            NODE,
            "node ace migration:run --force",
        ),
        (RAILS, RUBY, "bin/rails db:prepare"),
        (LARAVEL, PHP, "php artisan migrate --force"),
        (SYMFONY, PHP, "php bin/console doctrine:migrations:migrate --no-interaction --allow-no-migration"),
        (
            {"bin/cake": "", "composer.json": package(require={"cakephp/migrations": "^4"})},
            PHP,
            "bin/cake migrations migrate",
        ),
        ({"phinx.php": ""}, PHP, "vendor/bin/phinx migrate"),
        ({"rel/overlays/bin/migrate": ""}, ELIXIR, "bin/migrate"),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value else "",
)
def test_each_framework_migrates_in_its_way(files: dict[str, str], dockerfile: str, migrate: str) -> None:
    assert command(files, dockerfile) == migrate


@pytest.mark.parametrize(
    ("files", "dockerfile", "name", "expected"),
    [
        (DJANGO, PYTHON, "pending", "python manage.py migrate --check"),
        (DJANGO, PYTHON, "shell", "python manage.py shell"),
        (DJANGO, PYTHON, "test", "python manage.py test"),
        (DJANGO | {"requirements.txt": "pytest-django\n"}, PYTHON, "test", "python -m pytest"),
        (FLASK, PYTHON, "shell", "flask shell"),
        (PRISMA, NODE, "pending", "npx prisma migrate status"),
        (RAILS, RUBY, "pending", "bin/rails db:abort_if_pending_migrations"),
        (RAILS, RUBY, "shell", "bin/rails console"),
        (RAILS | {"spec/models/user_spec.rb": ""}, RUBY, "test", "bundle exec rspec"),
        (LARAVEL, PHP, "shell", "php artisan tinker"),
        (SYMFONY, PHP, "pending", "php bin/console doctrine:migrations:up-to-date"),
        ({"package.json": package(scripts={"test": "vitest run"})}, NODE, "test", "npm test"),
        ({"package.json": package(scripts={"test": 'echo "Error: no test specified" && exit 1'})}, NODE, "test", ""),
        ({"package.json": package(scripts={"test": "react-scripts test"})}, NODE, "test", ""),
        ({"package.json": package(scripts={"test": "react-scripts test --watchAll=false"})}, NODE, "test", "npm test"),
        ({"package.json": package(scripts={"test": "ng test"})}, NODE, "test", ""),
    ],
)
def test_what_else_a_framework_tells(files: dict[str, str], dockerfile: str, name: str, expected: str) -> None:
    assert command(files, dockerfile, name) == expected


@pytest.mark.parametrize(
    ("files", "dockerfile"),
    [
        ({"manage.py": "from flask_script import Manager"}, PYTHON),
        (FLASK | {"requirements.txt": "Flask\n"}, PYTHON),
        ({"package.json": package(dependencies={"typeorm": "0.3"})}, NODE),
        ({"package.json": package(dependencies={"@prisma/client": "6"}), "prisma/schema.prisma": ""}, NODE),
        ({"artisan": "", "composer.json": package(require={"php": "8"})}, PHP),
        ({"bin/rails": ""}, RUBY),
        ({"package.json": "not json"}, NODE),
        ({}, PYTHON),
    ],
)
def test_what_only_looks_like_a_framework_is_none(files: dict[str, str], dockerfile: str) -> None:
    assert command(files, dockerfile) == ""


@pytest.mark.parametrize(
    ("files", "dockerfile", "service", "migrate"),
    [
        # where the Dockerfile puts it, and what else is called like the service itself is
        ({"backend/manage.py": "django"}, PYTHON, {}, "python /app/backend/manage.py migrate --noinput"),
        (
            {"backend/manage.py": "django"},
            "FROM python:3\nWORKDIR /app\nCOPY backend .\n",
            {},
            "python manage.py migrate --noinput",
        ),
        (
            {"backend/alembic.ini": ""},
            PYTHON,
            {},
            "sh -c 'cd /app/backend && exec alembic upgrade head'",
        ),
        ({"backend/alembic.ini": ""}, PYTHON, {"working_dir": "/app/backend"}, "alembic upgrade head"),
        (DJANGO, f"{PYTHON}CMD uv run gunicorn shop", {}, "uv run python manage.py migrate --noinput"),
        (DJANGO, PYTHON, {"command": ["python3", "manage.py", "runserver"]}, "python3 manage.py migrate --noinput"),
        (
            DJANGO,
            PYTHON,
            {"command": ["sh", "-c", "/opt/venv/bin/python -m gunicorn shop"]},
            "/opt/venv/bin/python manage.py migrate --noinput",
        ),
        (
            {key: FLASK[key] for key in ("requirements.txt", "migrations/env.py")},
            PYTHON,
            {"command": ["gunicorn", "-b", "0.0.0.0:8000", "shop.web:create_app()"]},
            "flask --app 'shop.web:create_app()' db upgrade",
        ),
        (
            {key: FLASK[key] for key in ("requirements.txt", "migrations/env.py")},
            f"{PYTHON}ENV FLASK_APP=shop\n",
            {},
            "flask db upgrade",
        ),
        (
            {"server/db/schema.prisma": "", "db/migrations/migration_lock.toml": ""}
            | {"package.json": PRISMA["package.json"]},
            NODE,
            {},
            "npx prisma migrate deploy --schema server/db/schema.prisma",
        ),
    ],
)
def test_a_command_is_called_as_its_image_has_it(
    files: dict[str, str], dockerfile: str, service: dict[str, Any], migrate: str
) -> None:
    assert command(files, dockerfile, **service) == migrate


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM nginx:alpine\nCOPY . /srv\n",
        "FROM python:3\nCOPY frontend /app\n",
        "FROM node:20\nCOPY . .\n",
        "FROM python:3 AS build\nCOPY . .\nFROM gcr.io/distroless/static\nCOPY --from=build /x /x\n",
    ],
)
def test_an_image_that_cannot_run_it_is_given_nothing(dockerfile: str) -> None:
    assert command(DJANGO, dockerfile) == ""


def test_names_of_pending_migrations_are_known_for_what_was_found() -> None:
    """What was found is migrated, named and taken back as what is declared."""
    found = Command(*command({"backend/manage.py": "django"}, PYTHON).split())
    assert framework_of(found) is not None


def test_of_several_services_with_the_same_code_the_one_that_is_asked_speaks() -> None:
    stack = built(
        beat={"command": ["celery", "beat"]},
        worker={"command": ["celery", "worker"]},
        api={},
        web={"ports": [{"target": 8000, "published": "80"}]},
    )
    found = with_found(stack, dict.fromkeys(stack.services, source(DJANGO)))

    assert [service.name for service in found.with_command("migrate")] == ["web"]
    assert found.services["web"].options.found["migrate"] == "Django: manage.py in what it is built from"


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"migrate": "make migrate"}, {"makemigrations", "shell", "test"}),
        ({"migrate": False}, {"makemigrations", "shell", "test"}),
        ({"pending": "true"}, {"makemigrations", "shell", "test"}),
        ({"test": "tox"}, {"migrate", "pending", "makemigrations", "shell"}),
        ({"shell": False, "test": False}, {"migrate", "pending", "makemigrations"}),
    ],
)
def test_what_somebody_says_is_not_found_again(options: dict[str, Any], left: set[str]) -> None:
    stack = built(web={"ports": [{"target": 80, "published": "80"}]}, worker={"x-deploy": options})
    found = with_found(stack, dict.fromkeys(stack.services, source(DJANGO)))

    assert set(found.services["web"].options.found) == left


def test_a_migrate_that_is_switched_off_is_no_command() -> None:
    stack = with_found(built(web={"x-deploy": {"migrate": False}}), {"web": source(DJANGO)})

    assert stack.with_command("migrate") == ()
    assert found_migrations(stack) == ()


def test_a_job_that_migrates_is_left_to_it() -> None:
    stack = built(web={}, migrate={"command": ["python", "manage.py", "migrate"]})
    assert stack.services["migrate"].kind == Kind.JOB

    found = with_found(stack, dict.fromkeys(stack.services, source(DJANGO)))

    assert found.with_command("migrate") == ()
    assert found.services["web"].options.shell == Command("python", "manage.py", "shell")


@pytest.mark.parametrize(
    ("script", "migrates"),
    [('exec "$@"\n', True), ("gunicorn $* \n", True), ("gunicorn shop\n", False)],
)
def test_an_entrypoint_that_runs_nothing_else_cannot_migrate(script: str, migrates: bool) -> None:
    dockerfile = f'{PYTHON}ENTRYPOINT ["tini", "--", "/app/start.sh"]\n'
    assert bool(command(DJANGO | {"start.sh": script}, dockerfile)) == migrates


def test_a_program_as_entrypoint_cannot_migrate() -> None:
    assert command(DJANGO, f'{PYTHON}ENTRYPOINT ["gunicorn", "shop"]\n') == ""


def test_mounted_code_is_where_it_is_mounted() -> None:
    stack = parse_stack({"services": {"web": {"image": "python:3", "working_dir": "/code"}}})
    found = with_found(stack, {"web": Source("/src", frozenset(DJANGO), DJANGO, mounted="/code")})

    assert found.services["web"].options.migrate == Command("python", "manage.py", "migrate", "--noinput")


@pytest.mark.parametrize(
    ("dockerfile", "options", "shell"),
    [
        (NODE, {}, "sh"),
        ("FROM gcr.io/distroless/nodejs20\n", {}, ""),
        (NODE, {"shell": False}, ""),
        (NODE, {"shell": "node"}, "node"),
    ],
)
def test_without_a_framework_the_shell_is_the_systems(dockerfile: str, options: dict[str, Any], shell: str) -> None:
    assert command({}, dockerfile, "shell", **{"x-deploy": options}) == shell


def test_a_database_that_is_built_here_keeps_state() -> None:
    stack = with_found(
        built(db={}), {"db": source({}, "FROM postgres:17\nCOPY init.sql /docker-entrypoint-initdb.d/\n")}
    )

    assert stack.services["db"].kind == Kind.DATA
    assert stack.services["db"].kind_reason == "built on image postgres, which keeps state"


def test_a_plan_says_what_was_found_and_how_to_say_otherwise() -> None:
    stack = with_found(built(web={}), {"web": source(DJANGO)})

    (text,) = found_migrations(stack)
    assert text.startswith("web migrates by python manage.py migrate --noinput (Django: manage.py in what")
    assert text.endswith("x-deploy: {migrate: false} beside it says that it does not")


def test_every_finding_has_a_reason_and_an_override() -> None:
    db = {
        "image": "postgres:17",
        "environment": {"POSTGRES_USER": "shop", "POSTGRES_PASSWORD": "s3cret"},
        "ports": [{"target": 5432, "published": "5432"}],
    }
    stack = built(web={"ports": [{"target": 8000, "published": "80"}]}, db=db)
    sources = {"web": source(DJANGO)}
    stack = with_found(stack, sources)
    raw = {"db": {"POSTGRES_USER": "shop", "POSTGRES_PASSWORD": "${DB_PASSWORD:?}"}}

    found = [
        *file_findings(
            "prod", ComposeFiles(("compose.yaml",), "why"), EnvFile(".env.prod", "why"), ".env.example", ["A"], ["B"]
        ),
        *findings_of(stack, sources, raw, ["db"]),
    ]

    assert all(one.reason and one.override for one in found)
    values = {(one.topic, one.subject): f"{one.value} | {one.reason}" for one in found}
    assert values["kind", "db"] == "data | image postgres keeps state"
    assert values["data", "db"] == (
        "PostgreSQL, user shop, database shop; backed up by db.backup | image postgres:17; password from DB_PASSWORD"
    )
    assert values["port", "web"].startswith("80 → 8000: HTTP through the edge")
    assert values["migrate", "web"].startswith("python manage.py migrate --noinput | Django")
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    ("service", "dockerfile", "value", "reason"),
    [
        ({"x-deploy": {"migrate": False}}, PYTHON, "nothing", "x-deploy.migrate: false says so"),
        ({}, f'{PYTHON}ENTRYPOINT ["gunicorn"]\n', "nothing", "its entrypoint gunicorn runs no other command"),
        (
            {"command": ["sh", "-c", "python manage.py migrate && x"], "x-deploy": {"migrate": False}},
            PYTHON,
            "as it starts",
            "its command migrates",
        ),
    ],
)
def test_why_nothing_migrates_is_said(service: dict[str, Any], dockerfile: str, value: str, reason: str) -> None:
    sources = {"web": source(DJANGO, dockerfile)}
    stack = with_found(built(web=service), sources)

    found = [one for one in findings_of(stack, sources, {}, ()) if one.topic == "migrate"]

    assert any(one.value == value and reason in one.reason for one in found), found
