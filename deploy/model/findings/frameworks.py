"""Frameworks known by their files: how they migrate, test and open a shell.

One entry a framework. To add one, say which file shows it and what it is told. Sources: each framework's own reference
of its command line; the exit statuses of the `pending` commands are theirs: 0 when nothing is to be done.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from deploy.model.findings.source import Source

Commands = Mapping[str, str]
"""By the names of `x-deploy`."""


class Language(StrEnum):
    """What must be in an image for a framework's commands to run."""

    PYTHON = "python"
    NODE = "node"
    PHP = "php"
    RUBY = "ruby"
    ELIXIR = "elixir"


@dataclass(frozen=True)
class Running:
    """How a service starts what it is: hints at how other commands of it are called."""

    words: tuple[str, ...] = ()
    environment: Mapping[str, str | None] = field(default_factory=dict, repr=False)

    def says(self, text: str) -> bool:
        return text in " ".join(self.words)


@dataclass(frozen=True)
class Framework:
    """One framework."""

    name: str
    language: Language
    marker: Callable[[Source], str]
    """The file that shows it, relative to the source's folder; empty where it is not used."""
    commands: Callable[[Source, str, Running], Commands]
    """Its commands in its own folder, from the marker; empty where they cannot be known."""
    top: str = ""
    """The marker as seen from the framework's own folder, where that is not just its name: `bin/rails`."""
    built: bool = False
    """Whether the build makes the commands, at the image's own folder, rather than copying the marker."""

    def folder(self, marker: str) -> str:
        """The framework's own folder, relative to the source's: empty for the source's itself."""
        return marker.removesuffix(self.top or posixpath.basename(marker)).rstrip("/")


def _always(commands: Commands) -> Callable[[Source, str, Running], Commands]:
    return lambda _source, _marker, _running: commands


def _first(*names: str) -> Callable[[Source], str]:
    return lambda source: next(iter(source.named(*names)), "")


# --- Python


def _django(source: Source) -> str:
    return next((file for file in source.named("manage.py") if "django" in source.text(file).lower()), "")


def _django_commands(source: Source, marker: str, _running: Running) -> Commands:
    return {
        "migrate": "python manage.py migrate --noinput",
        "pending": "python manage.py migrate --check",
        "makemigrations": "python manage.py makemigrations",
        "shell": "python manage.py shell",
        "test": "python -m pytest" if source.requires("pytest-django", near=marker) else "python manage.py test",
    }


def _flask_migrate(source: Source) -> str:
    found = source.named("migrations/env.py")
    return next((file for file in found if source.requires("flask-migrate", near=file)), "")


def _flask_commands(source: Source, marker: str, running: Running) -> Commands:
    """`flask` finds app.py and wsgi.py by itself; another application is told by FLASK_APP or by what serves it."""
    folder = marker.removesuffix("migrations/env.py")
    named = "FLASK_APP" in {*running.environment, *source.recipe.environment} or any(
        "FLASK_APP" in source.text(file) for file in source.named(".flaskenv")
    )
    application = ""
    if not named and not {f"{folder}app.py", f"{folder}wsgi.py"} & source.files:
        found = re.search(r"(?<![\w./:])([A-Za-z_][\w.]*:[A-Za-z_]\w*(?:\(\))?)", " ".join(running.words))
        if not found:
            return {}
        application = f" --app {shlex.quote(found[1])}"
    flask = f"flask{application}"
    commands = {"migrate": f"{flask} db upgrade", "makemigrations": f"{flask} db migrate", "shell": f"{flask} shell"}
    return {**commands, **_pytest(source, marker)}


def _alembic(source: Source) -> str:
    if found := source.named("alembic.ini"):
        return found[0]
    return next((file for file in source.named("pyproject.toml") if "[tool.alembic]" in source.text(file)), "")


def _alembic_commands(source: Source, marker: str, _running: Running) -> Commands:
    commands = {"migrate": "alembic upgrade head", "makemigrations": "alembic revision --autogenerate"}
    return {**commands, **_pytest(source, marker)}


def _aerich(source: Source) -> str:
    return next((file for file in source.named("pyproject.toml") if "[tool.aerich]" in source.text(file)), "")


def _pytest(source: Source, marker: str) -> Commands:
    return {"test": "python -m pytest"} if source.requires("pytest", near=marker) else {}


# --- Node


def _depends(source: Source, package: str, *names: str) -> bool:
    """Whether a package.json names one of these packages, for running or for developing."""
    document = source.package(package)
    return any(name in (document.get(kind) or {}) for kind in ("dependencies", "devDependencies") for name in names)


def _node(source: Source, *names: str) -> str:
    """The package.json that names one of these packages."""
    return next((file for file in source.named("package.json") if _depends(source, file, *names)), "")


def _beside(source: Source, package: str, *names: str) -> str:
    """A file in a package's folder or below it."""
    folder = posixpath.dirname(package)
    return next((file for file in source.named(*names) if not folder or file.startswith(f"{folder}/")), "")


def _script(source: Source, package: str, *words: str) -> str:
    """`npm run` of the script that holds all these words."""
    scripts = source.package(package).get("scripts") or {}
    name = next((name for name, text in scripts.items() if all(word in str(text) for word in words)), "")
    return f"npm run {name}" if name else ""


def _npm_test(source: Source, package: str) -> Commands:
    """`npm test`, unless it is npm's own filler, or would wait for somebody to press a key."""
    text = str((source.package(package).get("scripts") or {}).get("test", ""))
    waits = re.search(r"--watch(?!(?:All)?=false)|(?:react-scripts|ng) test(?!.*--watch(?:All)?=false)", text)
    return {"test": "npm test"} if text and "no test specified" not in text and not waits else {}


def _prisma(source: Source) -> str:
    package = _node(source, "prisma", "@prisma/client")
    return package if package and _beside(source, package, "migrations/migration_lock.toml") else ""


def _prisma_commands(source: Source, package: str, _running: Running) -> Commands:
    schema = _beside(source, package, "schema.prisma").removeprefix(posixpath.dirname(package)).lstrip("/")
    usual = schema in {"", "prisma/schema.prisma", "schema.prisma"} or "prisma" in source.package(package)
    option = "" if usual else f" --schema {shlex.quote(schema)}"
    return {
        "migrate": f"npx prisma migrate deploy{option}",
        "pending": f"npx prisma migrate status{option}",
        "makemigrations": f"npx prisma migrate dev{option}",
        **_npm_test(source, package),
    }


def _typeorm_commands(source: Source, package: str, _running: Running) -> Commands:
    """The package's own script, else its data source as the build compiles it."""
    command = _script(source, package, "migration:run")
    data_source = _beside(source, package, "data-source.ts", "data-source.js", "datasource.ts", "datasource.js")
    if not command and data_source:
        inside = data_source.removeprefix(posixpath.dirname(package)).lstrip("/")
        compiled = re.sub(r"^src/(.*)\.ts$", r"dist/\1.js", inside)
        command = f"npx typeorm migration:run -d {shlex.quote(compiled)}"
    return {**({"migrate": command} if command else {}), **_npm_test(source, package)}


def _by_tool(
    command: str, *words: str, needs: Sequence[str] = ()
) -> Callable[[Source, str, Running], Mapping[str, str]]:
    """The package's own script for a tool, else the tool itself; neither without one of the files that it needs."""

    def commands(source: Source, package: str, _running: Running) -> Commands:
        if needs and not _beside(source, package, *needs):
            return _npm_test(source, package)
        return {"migrate": _script(source, package, *words) or command, **_npm_test(source, package)}

    return commands


# --- PHP


def _php(source: Source, file: str, package: str) -> str:
    """A file in the folder of a composer.json that requires a package."""
    for composer in source.named("composer.json"):
        document = source.package(composer)
        if package in (document.get("require") or {}):
            found = posixpath.join(posixpath.dirname(composer), file)
            return found if found in source.files else ""
    return ""


# --- Ruby


def _rails_commands(source: Source, marker: str, _running: Running) -> Commands:
    folder = marker.removesuffix("bin/rails")
    specs = any(file.startswith(f"{folder}spec/") for file in source.files)
    return {
        "migrate": "bin/rails db:prepare",
        "pending": "bin/rails db:abort_if_pending_migrations",
        "shell": "bin/rails console",
        "test": "bundle exec rspec" if specs else "bin/rails test",
    }


def _rails(source: Source) -> str:
    return next(
        (
            file
            for file in source.named("bin/rails")
            if f"{file.removesuffix('bin/rails')}config/application.rb" in source.files
        ),
        "",
    )


FRAMEWORKS = (
    Framework("Django", Language.PYTHON, _django, _django_commands),
    Framework("Flask-Migrate", Language.PYTHON, _flask_migrate, _flask_commands, top="migrations/env.py"),
    Framework("Alembic", Language.PYTHON, _alembic, _alembic_commands),
    Framework(
        "Aerich", Language.PYTHON, _aerich, _always({"migrate": "aerich upgrade", "makemigrations": "aerich migrate"})
    ),
    Framework("Prisma", Language.NODE, _prisma, _prisma_commands),
    Framework("TypeORM", Language.NODE, lambda source: _node(source, "typeorm"), _typeorm_commands),
    Framework(
        "Drizzle",
        Language.NODE,
        lambda source: _node(source, "drizzle-kit"),
        _by_tool("npx drizzle-kit migrate", "drizzle-kit migrate", needs=("drizzle.config.ts", "drizzle.config.js")),
    ),
    Framework(
        "Sequelize",
        Language.NODE,
        lambda source: _node(source, "sequelize-cli"),
        _by_tool("npx sequelize-cli db:migrate", "sequelize", "db:migrate"),
    ),
    Framework(
        "Knex",
        Language.NODE,
        lambda source: _node(source, "knex"),
        _by_tool("npx knex migrate:latest", "knex", "migrate:latest", needs=("knexfile.js", "knexfile.ts")),
    ),
    Framework(
        "MikroORM",
        Language.NODE,
        lambda source: _node(source, "@mikro-orm/migrations"),
        _by_tool("npx mikro-orm migration:up", "mikro-orm", "migration:up"),
    ),
    Framework(
        "AdonisJS",
        Language.NODE,
        lambda source: _node(source, "@adonisjs/lucid"),
        _always({"migrate": "node ace migration:run --force", "makemigrations": "node ace make:migration"}),
    ),
    Framework(
        "Node", Language.NODE, _first("package.json"), lambda source, package, _running: _npm_test(source, package)
    ),
    Framework(
        "Laravel",
        Language.PHP,
        lambda source: _php(source, "artisan", "laravel/framework"),
        # Laravel before 11.8 knows no value of --pending, refuses it, and so counts as having something to migrate
        _always(
            {
                "migrate": "php artisan migrate --force",
                "pending": "php artisan migrate:status --pending=1",
                "shell": "php artisan tinker",
                "test": "php artisan test",
            }
        ),
    ),
    Framework(
        "Symfony",
        Language.PHP,
        lambda source: _php(source, "bin/console", "doctrine/doctrine-migrations-bundle"),
        _always(
            {
                "migrate": "php bin/console doctrine:migrations:migrate --no-interaction --allow-no-migration",
                "pending": "php bin/console doctrine:migrations:up-to-date",
                "makemigrations": "php bin/console make:migration",
                "test": "php bin/phpunit",
            }
        ),
        top="bin/console",
    ),
    Framework(
        "CakePHP",
        Language.PHP,
        lambda source: _php(source, "bin/cake", "cakephp/migrations"),
        _always({"migrate": "bin/cake migrations migrate", "shell": "bin/cake console"}),
        top="bin/cake",
    ),
    Framework("Phinx", Language.PHP, _first("phinx.php"), _always({"migrate": "vendor/bin/phinx migrate"})),
    Framework("Rails", Language.RUBY, _rails, _rails_commands, top="bin/rails"),
    Framework(
        "Phoenix",
        Language.ELIXIR,
        _first("rel/overlays/bin/migrate"),
        _always({"migrate": "bin/migrate"}),
        top="rel/overlays/bin/migrate",
        built=True,
    ),
)
