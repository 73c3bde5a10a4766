"""What belongs on the machine of whoever works on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.rule_projects import found


def service(text: str) -> str:
    return f"services:\n  one:\n    build: app\n{text}\n"


def environment(text: str, more: str = "") -> str:
    return service(f"    environment:\n      {text}" + (f"\n    {more}" if more else ""))


@pytest.mark.parametrize(
    ("text", "more", "severity"),
    [
        ("DEBUG: 'True'", "command: gunicorn shop.wsgi", "warning"),
        ("DEBUG: 'True'", "command: python manage.py runserver", "error"),
        ("DEBUG: 'True'", "x-deploy: {migrate: python manage.py migrate}", "error"),
        ("DEBUG: 'False'", "x-deploy: {migrate: python manage.py migrate}", ""),
        ("DEBUG: 'express:*'", "", ""),
        ("DJANGO_DEBUG: 'on'", "", "error"),
        ("FLASK_DEBUG: '1'", "", "error"),
        ("FLASK_DEBUG: '1'", "command: gunicorn shop:app", "warning"),
        ("FLASK_DEBUG: '0'", "", ""),
        ("APP_DEBUG: 'true'", "command: php artisan octane:start", "error"),
        ("APP_DEBUG: 'true'", "", "warning"),
        ("SHOP_DEBUG: 'true'", "", "warning"),
        ("LOG_DEBUG: 'true'", "", ""),
        ("LOG_LEVEL: debug", "", ""),
        ("NODE_ENV: development", "", "warning"),
        ("NODE_ENV: production", "", ""),
        ("RAILS_ENV: development", "", "warning"),
        ("ASPNETCORE_ENVIRONMENT: Development", "", "warning"),
        ("FLASK_ENV: development", "", "warning"),
        ("DJANGO_SETTINGS_MODULE: shop.settings.dev", "", "warning"),
        ("DJANGO_SETTINGS_MODULE: shop.settings.prod", "", ""),
        ("STAGE: development", "", ""),
    ],
)
def test_debugging_stops_a_deploy_where_it_gives_everything_away(
    text: str, more: str, severity: str, tmp_path: Path
) -> None:
    expected = [f"debug-on compose.yaml:5 {severity}"] if severity else []

    assert found(tmp_path, "debug-on", environment(text, more)) == expected


def test_what_a_dockerfile_switches_on_is_told_there(tmp_path: Path) -> None:
    dockerfile = "FROM node:20\nRUN true\nENV A=1 \\\n    NODE_ENV=development\n"

    assert found(tmp_path, "debug-on", service(""), dockerfile=dockerfile) == ["debug-on app/Dockerfile:3 warning"]
    assert found(tmp_path, "debug-on", environment("NODE_ENV: production"), dockerfile=dockerfile) == []


@pytest.mark.parametrize(
    "command",
    [
        "python manage.py runserver 0.0.0.0:8000",
        "uvicorn shop:app --reload",
        "gunicorn shop:app --reload=true",
        "sh -c 'python manage.py migrate && python manage.py runserver'",
        "flask run --debug",
        "flask --app shop run",
        "npm run dev",
        "npm run start:dev",
        "yarn dev",
        "pnpm --filter web dev",
        "npx vite --host",
        "vite",
        "next dev",
        "node_modules/.bin/nodemon index.js",
        "npx ng serve --host 0.0.0.0",
        "webpack serve",
        "webpack-dev-server",
        "rails server -b 0.0.0.0",
        "bundle exec rails s",
        "air",
        "air -c .air.toml",
        "cargo watch -x run",
        "php artisan serve",
        "tsx watch src/main.ts",
        "dotnet watch run",
        "fastapi dev shop.py",
    ],
)
def test_a_server_for_development_is_found(command: str, tmp_path: Path) -> None:
    text = service(f'    command: "{command}"')

    assert found(tmp_path, "reload-server", text) == ["reload-server compose.yaml:4 warning"]


@pytest.mark.parametrize(
    "command",
    [
        "gunicorn shop.wsgi --reload-engine auto",
        "nginx -s reload",
        "npm start",
        "npm run build",
        "vite build",
        "vite preview --host",
        "next start",
        "rails db:migrate",
        "python air_quality.py",
        "node dist/main.js",
        "python -m shop.device",
        "celery -A shop worker",
        "fastapi run shop.py",
        "npm run develop-report",
    ],
)
def test_a_server_for_visitors_is_none(command: str, tmp_path: Path) -> None:
    assert found(tmp_path, "reload-server", service(f'    command: "{command}"')) == []


def test_rails_of_production_is_served_by_its_own_server(tmp_path: Path) -> None:
    assert found(tmp_path, "reload-server", environment("RAILS_ENV: production", "command: rails server")) == []


def test_the_dockerfiles_command_counts_where_the_compose_file_has_none(tmp_path: Path) -> None:
    dockerfile = 'FROM node:20\nCMD ["node", "x"]\nFROM node:20\nCMD ["npm", "run", "dev"]\n'

    assert found(tmp_path, "reload-server", service(""), dockerfile=dockerfile) == [
        "reload-server app/Dockerfile:4 warning"
    ]
    assert found(tmp_path, "reload-server", service("    command: node main.js"), dockerfile=dockerfile) == []


@pytest.mark.parametrize(
    ("mount", "lines"),
    [
        ("./app:/app", ["source-mount compose.yaml:5 warning"]),
        ("./app/src:/app/src:ro", ["source-mount compose.yaml:5 warning"]),
        ("./site:/site", []),
        ("./app/uploads:/uploads", []),
        ("code:/app", []),
    ],
)
def test_code_mounted_over_its_image_is_found(mount: str, lines: list[str], tmp_path: Path) -> None:
    others = {"app/src/main.py": "", "app/uploads/cat.png": "", "site/index.py": ""}

    assert found(tmp_path, "source-mount", service(f"    volumes:\n      - {mount}"), others=others) == lines


def test_a_foreign_image_that_runs_mounted_code_is_what_its_owner_wants(tmp_path: Path) -> None:
    text = "services:\n  one:\n    image: node:20\n    volumes: ['./app:/app']\n"

    assert found(tmp_path, "source-mount", text, others={"app/main.js": ""}) == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("DB_SYNCHRONIZE: 'true'", "5"),
        ("TYPEORM_SYNCHRONIZE: '1'", "5"),
        ("DATABASE_SYNCHRONIZE: 'true'", "5"),
        ("DB_SYNCHRONIZE: 'false'", ""),
        ("CALENDAR_SYNCHRONIZE: 'true'", ""),
        ("SPRING_JPA_HIBERNATE_DDL_AUTO: update", "5"),
        ("spring.jpa.hibernate.ddl-auto: create-drop", "5"),
        ("SPRING_JPA_HIBERNATE_DDL_AUTO: validate", ""),
        ("JAVA_OPTS: -Xmx1g -Dspring.jpa.hibernate.ddl-auto=update", "5"),
    ],
)
def test_a_schema_that_changes_itself_is_found(text: str, place: str, tmp_path: Path) -> None:
    expected = [f"schema-synchronize compose.yaml:{place} error"] if place else []

    assert found(tmp_path, "schema-synchronize", environment(text)) == expected


def test_a_schema_is_changed_by_an_option_of_the_command_too(tmp_path: Path) -> None:
    text = service("    command: java -jar shop.jar --spring.jpa.hibernate.ddl-auto=update")

    assert found(tmp_path, "schema-synchronize", text) == ["schema-synchronize compose.yaml:4 error"]


@pytest.mark.parametrize(
    ("image", "caught"),
    [("axllent/mailpit:v1", True), ("mailhog/mailhog", True), ("mailserver/docker-mailserver", False)],
)
def test_what_catches_mails_is_found(image: str, caught: bool, tmp_path: Path) -> None:
    text = f"services:\n  one:\n    image: {image}\n"

    assert found(tmp_path, "dev-mail", text) == (["dev-mail compose.yaml:3 warning"] if caught else [])
