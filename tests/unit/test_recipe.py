"""What a Dockerfile puts into an image: its base, where files end up, what it starts."""

from __future__ import annotations

import pytest

from deploy.model.recipe import read_recipe

STAGES = """
ARG PYTHON=3.13
FROM python:${PYTHON}-slim AS base
ENV APP_HOME=/srv/app
WORKDIR $APP_HOME
FROM node:20 AS assets
WORKDIR /assets
COPY frontend/ .
FROM base AS production
COPY --chown=app:app backend/ ./
COPY --from=assets /assets/dist static/
COPY ["README.md", "LICENSE", "docs/"]
ENTRYPOINT ["./entrypoint.sh"]
CMD ["gunicorn", "shop.wsgi"]
FROM production AS development
CMD python manage.py runserver
"""


def test_a_stage_has_all_that_is_below_it() -> None:
    recipe = read_recipe(STAGES, "production")

    assert (recipe.base, recipe.folder) == ("python:3.13-slim", "/srv/app")
    assert recipe.entrypoint == ("./entrypoint.sh",)
    assert recipe.command == ("gunicorn", "shop.wsgi")
    assert recipe.environment == {"APP_HOME": "/srv/app"}


def test_the_last_stage_is_the_image_unless_one_is_asked_for() -> None:
    assert read_recipe(STAGES).command == ("python", "manage.py", "runserver")
    assert read_recipe(STAGES, "assets").base == "node:20"
    assert read_recipe(STAGES, arguments={"PYTHON": "3.11"}).base == "python:3.11-slim"


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("backend/manage.py", "/srv/app/manage.py"),
        ("backend/shop/urls.py", "/srv/app/shop/urls.py"),
        ("frontend/dist/index.html", "/srv/app/static/index.html"),
        ("frontend/src/main.ts", ""),
        ("README.md", "/srv/app/docs/README.md"),
        ("compose.yaml", ""),
    ],
)
def test_a_file_is_followed_through_every_copy(file: str, place: str) -> None:
    assert read_recipe(STAGES).place(file) == place


@pytest.mark.parametrize(
    ("copy", "file", "place"),
    [
        ("COPY . .", "manage.py", "/app/manage.py"),
        ("COPY . /srv", "a/b.py", "/srv/a/b.py"),
        ("ADD ./src /code/", "src/x.py", "/code/x.py"),
        ("COPY package*.json ./", "package.json", "/app/package.json"),
        ("COPY alembic.ini /etc/alembic.ini", "alembic.ini", "/etc/alembic.ini"),
        ("COPY app.py settings.py ./", "settings.py", "/app/settings.py"),
        ("COPY --from=elsewhere:1 /x /y", "x", ""),
        ("COPY srcs/ ./", "src/x.py", ""),
    ],
)
def test_every_form_of_copy(copy: str, file: str, place: str) -> None:
    assert read_recipe(f"FROM scratch\nWORKDIR /app\n{copy}\n").place(file) == place


def test_an_empty_file_describes_nothing() -> None:
    assert read_recipe("").place("manage.py") == ""
