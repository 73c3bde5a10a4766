"""Foreign compose files as compose itself reads them, and what becomes of them; nothing is started."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from deploy.engine.compose import ComposeProject
from deploy.engine.discover import compose_files
from deploy.engine.files import create_env_file
from deploy.model.errors import DeployError
from deploy.model.kinds import Kind
from deploy.model.layout import HostLayout
from deploy.model.render import Rendered, render_data, render_release
from deploy.model.settings import parse_settings
from deploy.release.prepare import Prepared, prepare
from deploy.shell import LocalShell
from tests.project import commit

BOARD = Path(__file__).parents[1] / "lab" / "board"
LAYOUT = HostLayout("board", PurePosixPath("/opt/board"))


def read(root: Path, name: str = "prod") -> Prepared:
    allow = {"example-secret": "the board's token opens nothing"}
    environment = (
        parse_settings({"environments": {"prod": {"allow": allow}}}, folder="board").at(root).environment(name)
    )
    files = compose_files(root, environment)
    compose = ComposeProject(LocalShell(root), environment.project, files, root / environment.env_file)
    return prepare(compose, environment, root, datetime(2026, 11, 25, tzinfo=UTC), architecture=lambda: "amd64")


def rendered(prepared: Prepared) -> tuple[Rendered, Rendered]:
    images = {name: one.reference for name, one in prepared.sources.items()}
    release = render_release(prepared.stack, images, LAYOUT, prepared.record.id, prepared.places)
    return release, render_data(prepared.stack, images, LAYOUT, prepared.places)


def written(root: Path, text: str, **files: str) -> Path:
    for name, content in {"compose.yaml": text, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    root = tmp_path_factory.mktemp("board") / "board"
    shutil.copytree(BOARD, root)
    create_env_file(root / ".env.prod", root / ".env.example")
    commit(root, "As it is")
    return read(root)


def test_kinds_of_a_foreign_projects_services(board: Prepared) -> None:
    kinds = {name: (service.kind, service.exclusive) for name, service in board.stack.services.items()}

    assert {name for name, (kind, _) in kinds.items() if kind == Kind.DATA} == {"pages"}
    assert {name for name, (kind, _) in kinds.items() if kind == Kind.JOB} == {"setup"}
    assert {name for name, (_, why) in kinds.items() if why} == {"agent", "beacon"}
    assert "debugger" not in kinds, "its profile is off"
    assert "counter" in kinds, "the env file turns its profile on"


def test_several_files_extensions_and_anchors_make_one_service(board: Prepared) -> None:
    release, data = rendered(board)
    web, proxy = (release.document["services"][name] for name in ("web", "proxy"))

    assert web["environment"]["STAGE"] == "production", "of the second file"
    assert web["environment"]["COLOUR"] == "green", "of an env_file"
    assert web["restart"] == "unless-stopped", "of an anchor"
    assert web["networks"] == {"default": {"aliases": ["board_web"]}}
    assert proxy["restart"] == "unless-stopped", "of another file that is extended"
    assert list(data.document["services"]) == ["pages"], "of a file that is included"
    assert release.document["services"]["agent"]["restart"] == "unless-stopped"
    assert release.document["services"]["counter"].get("profiles") is None


def test_what_travels_and_what_stays(board: Prepared) -> None:
    release, _ = rendered(board)
    sources = {mount["target"]: mount.get("source") for mount in release.document["services"]["web"]["volumes"]}
    here = f"/opt/board/releases/{board.record.id}"

    assert sources == {
        "/data": "/opt/board/shared/data",
        "/site": f"{here}/files/site",
        "/notice.txt": f"{here}/files/site/notice.txt",
        "/srv/board": "/srv/board",
        "/etc/host-hostname": "/etc/hostname",
        "/archive": "board_archive",
        "/scratch": None,
    }
    assert {str(text.remote): text.text for text in release.texts} == {"values/token": "pa$$word-in-a-variable"}
    assert release.document["secrets"]["key"]["file"] == f"{here}/files/secrets/key.txt"


def test_services_that_share_an_image_share_its_source(board: Prepared) -> None:
    assert len({board.sources[name].source for name in ("web", "api", "setup", "tidy", "agent", "counter")}) == 1


def test_dollars_mean_what_their_author_meant(tmp_path: Path) -> None:
    text = "services:\n  web:\n    image: x\n    x-deploy: {test: sh -c 'echo \"$$HOME\"'}\n    restart: always\n"

    command = read(written(tmp_path, text)).stack.services["web"].options.test

    assert command == ("sh", "-c", 'echo "$HOME"')


def test_build_arguments_without_a_value_come_from_the_env_file(tmp_path: Path) -> None:
    text = "services:\n  web:\n    build: {context: ., args: [VERSION]}\n    restart: always\n"
    root = written(tmp_path, text, **{".env.prod": "VERSION=7\n", "Dockerfile": "FROM scratch\n"})

    build = read(root).stack.services["web"].build

    assert build
    assert build.definition["args"] == {"VERSION": "7"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "services:\n  web:\n    image: x\n    secrets: [s]\nsecrets:\n  s:\n    external: true\n",
            "compose.yaml:6: web: the secret s is external",
        ),
        (
            "services:\n  web:\n    image: x\n    secrets: [s]\nsecrets:\n  s: {environment: NOT_SET}\n",
            "compose.yaml:6: web: the secret s comes from the variable NOT_SET, which is not set",
        ),
        (
            "services:\n  web:\n    image: x\n    network_mode: container:other\n",
            "compose.yaml:4: web: network_mode container:other names a container",
        ),
        (
            "services:\n  web:\n    image: x\n    volumes:\n      - ./missing.conf:/etc/missing.conf\n",
            "compose.yaml:5: web: ",
        ),
    ],
)
def test_what_cannot_be_carried_is_an_error_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(DeployError) as caught:
        read(written(tmp_path, text))

    assert f"✗ {expected}" in caught.value.details


def test_a_changed_variable_behind_a_secret_is_a_change(tmp_path: Path) -> None:
    text = "services:\n  web:\n    image: x\n    secrets: [s]\nsecrets:\n  s: {environment: TOKEN}\n"

    def parts(token: str) -> Any:
        return read(written(tmp_path, text, **{".env.prod": f"TOKEN={token}\n"})).record.services["web"].parts

    assert parts("one") == parts("one")
    assert parts("one") != parts("two")
