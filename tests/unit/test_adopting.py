"""Foreign compose files: what their services are, what of them cannot be carried, and where in them that stands."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.engine.dockerfiles import dockerfile_text
from deploy.engine.images import image_sources
from deploy.engine.lines import SourceLines
from deploy.engine.places import data_folders, find_places
from deploy.model.checks import check_carried, check_places, needed_on_host, require_none
from deploy.model.errors import DeployError
from deploy.model.kinds import Kind
from deploy.model.places import Place
from deploy.model.recipe import read_recipe
from deploy.model.stack import parse_stack
from tests.project import commit
from tests.unit.examples import model

VOLUME = {"type": "volume", "source": "own", "target": "/d", "volume": {}}
PORT = {"target": 80, "published": "80", "protocol": "tcp"}


def kind(definition: dict[str, Any], base: str = "", name: str = "thing") -> Kind:
    document = model()
    document["services"][name] = definition
    return parse_stack(document, {name: base}, {"/srv/w"}).services[name].kind


@pytest.mark.parametrize(
    ("definition", "base", "expected"),
    [
        ({"image": "mcr.microsoft.com/mssql/server:2022"}, "", Kind.DATA),
        ({"image": "redislabs/redismod", "ports": [PORT]}, "", Kind.DATA),
        ({"build": {"context": "/src/db"}}, "postgres:17", Kind.DATA),
        ({"build": {"context": "/src/db"}}, "python:3.13", Kind.WEB),
        ({"build": {"context": "/src/db"}, "volumes": [VOLUME | {"target": "/var/lib/mysql"}]}, "", Kind.DATA),
        ({"image": "acme/wiki", "ports": [PORT], "volumes": [VOLUME]}, "", Kind.DATA),
        ({"image": "acme/shop", "ports": [PORT], "volumes": [VOLUME], "depends_on": {"backend": {}}}, "", Kind.WEB),
        ({"image": "nginx:alpine", "volumes": [VOLUME]}, "", Kind.WEB),
        ({"image": "node:20", "ports": [PORT], "volumes": [VOLUME]}, "", Kind.WEB),
        ({"image": "acme/game", "ports": [PORT], "volumes": [{"type": "bind", "source": "/srv/w"}]}, "", Kind.DATA),
        ({"image": "acme/game", "ports": [PORT], "volumes": [{"type": "bind", "source": "/src/x"}]}, "", Kind.WEB),
        ({"image": "caddy:2", "ports": [PORT], "volumes": [VOLUME]}, "", Kind.WEB),
        ({"build": {"context": "/src"}, "ports": [PORT], "volumes": [VOLUME]}, "", Kind.WEB),
    ],
)
def test_what_writes_alone_is_not_run_twice(definition: dict[str, Any], base: str, expected: Kind) -> None:
    assert kind(definition, base) == expected


def test_an_image_that_several_services_run_is_the_application() -> None:
    app = {"image": "registry.example/acme/app:1", "ports": [PORT], "volumes": [VOLUME]}
    document = {"services": {"web": app, "worker": {"image": app["image"], "command": ["worker"]}}}

    assert {one.kind for one in parse_stack(document).services.values()} == {Kind.WEB, Kind.WORKER}


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("db-migrate", {}, Kind.JOB),
        ("db-migrate", {"restart": "on-failure"}, Kind.JOB),
        ("db-migrate", {"restart": "always"}, Kind.WEB),
        ("setup", {"healthcheck": {"test": ["CMD", "true"]}}, Kind.WEB),
        ("immigrate", {}, Kind.WEB),
    ],
)
def test_a_one_shot_is_known_by_its_name_where_nothing_restarts_it(
    name: str, changes: dict[str, Any], expected: Kind
) -> None:
    assert kind({"build": {"context": "/src"}} | changes, name=name) == expected


def test_a_service_that_shares_the_network_of_an_exclusive_one_goes_with_it() -> None:
    document = model()
    document["services"]["vpn"] = {"image": "acme/vpn", "ports": [PORT | {"protocol": "udp"}]}
    document["services"]["client"] = {"image": "acme/client", "network_mode": "service:vpn"}

    stack = parse_stack(document)

    assert stack.services["client"].exclusive == "it shares the network of vpn, which cannot run twice"


def test_a_service_that_names_the_image_of_another_is_built_like_it(tmp_path: Path) -> None:
    """Nobody could pull it."""
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    build = {"context": str(tmp_path), "dockerfile": "Dockerfile"}
    services = {
        "web": {"image": "acme/app", "build": build},
        "worker": {"image": "acme/app", "volumes": [VOLUME]},
        "cache": {"image": "acme/cache"},
    }
    stack = parse_stack({"services": services})

    sources = image_sources(stack, "shop", "linux/amd64")

    assert sources["worker"].source == sources["web"].source
    assert {name: one.built_by for name, one in stack.services.items()} == {"web": "", "worker": "web", "cache": ""}
    assert sources["cache"].source == "acme/cache"
    assert stack.services["worker"].kind == Kind.WORKER, "not a foreign image with a volume of its own"


def test_what_a_built_database_runs_is_what_it_is_built_from() -> None:
    document = model()
    document["services"]["db"] = {"build": {"context": "/src/db"}}

    stack = parse_stack(document, {"db": "postgres:17"})

    assert (stack.services["db"].runs, stack.services["nginx"].runs) == ("postgres:17", "nginx:alpine")


def test_an_inline_dockerfile_is_the_one_that_counts(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM elsewhere\n")
    build = {"context": str(tmp_path), "dockerfile_inline": "FROM python:3.13-slim\nENV A=$${B}\n"}

    found = parse_stack({"services": {"web": {"build": build}}}).services["web"].build

    assert found
    assert dockerfile_text(found) == "FROM python:3.13-slim\nENV A=${B}\n"


@pytest.mark.parametrize(
    ("text", "arguments", "target", "expected"),
    [
        ("FROM postgres:17\nRUN x\n", {}, "", "postgres:17"),
        ("ARG V=16\nFROM postgres:$V AS base\nFROM base\n", {"V": "17"}, "", "postgres:17"),
        ("FROM a AS one\nFROM b AS two\n", {}, "one", "a"),
        ("FROM --platform=linux/amd64 \\\n  a\nFROM 0\n", {}, "", "a"),
        ("RUN x\n", {}, "", ""),
    ],
)
def test_what_an_image_stands_on(text: str, arguments: dict[str, str | None], target: str, expected: str) -> None:
    assert read_recipe(text, target, arguments).base == expected


def problems(document: dict[str, Any]) -> list[str]:
    return [f"{'/'.join(one.path)}: {one.message}" for one in check_carried(parse_stack(document)) if one.fatal]


def with_service(name: str, definition: dict[str, Any], **sections: Any) -> dict[str, Any]:
    document = model() | sections
    document["services"][name] = document["services"].get(name, {}) | definition
    return document


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            with_service("backend", {"network_mode": "container:other"}),
            "services/backend/network_mode: backend: network_mode container:other names a container",
        ),
        (with_service("backend", {"pid": "service:db"}), "services/backend/pid: backend shares the pid of db"),
        (
            with_service("backend", {"volumes_from": ["db:ro"]}),
            "services/backend/volumes_from/db:ro: backend takes the volumes of db",
        ),
        (
            with_service("db", {"depends_on": {"worker": {"condition": "service_completed_successfully"}}}),
            "services/db/depends_on/worker: db lives on across releases and waits for worker",
        ),
        (
            with_service("backend", {"secrets": [{"source": "s"}]}, secrets={"s": {"name": "s", "external": True}}),
            "secrets/s: backend: the secret s is external: only a swarm keeps those",
        ),
        (
            with_service("backend", {"configs": [{"source": "s"}]}, configs={"s": {"environment": "MOTD"}}),
            "configs/s: backend: the config s comes from the variable MOTD, which is not set",
        ),
        (
            with_service("backend", {"secrets": [{"source": "s"}]}, secrets={"s": {"file": "/src/none"}}),
            "secrets/s: backend: the secret s is the file /src/none, which does not exist",
        ),
        (
            with_service("db", {"deploy": {"replicas": 2}}),
            "services/db/deploy/replicas: db keeps state and is to run 2",
        ),
        (
            with_service("backend", {"ports": [PORT | {"host_ip": "127.0.0.1"}]}),
            "services/nginx/ports/80: backend and nginx both publish port 127.0.0.1:80",
        ),
        (
            with_service("nginx", {}, networks={"default": {"driver": "macvlan"}}),
            "networks/default: the network default is a macvlan",
        ),
        (
            with_service("backend", {"environment": {"UPSTREAM": "http://10.5.0.9:80"}}),
            "services/nginx/networks/10.5.0.9: backend is told the address 10.5.0.9 of nginx",
        ),
        (
            with_service("ai", {"provider": {"type": "model"}}),
            "services/ai/provider: ai is made by the provider model on this machine",
        ),
    ],
)
def test_what_cannot_be_carried_is_named(document: dict[str, Any], expected: str) -> None:
    found = problems(document)

    assert len(found) == 1
    assert found[0].startswith(expected)


def test_a_stack_without_such_things_has_no_problems() -> None:
    """A fixed address that nobody is told is dropped."""
    assert problems(model()) == []
    other_host = with_service("backend", {"ports": [PORT | {"host_ip": "10.0.0.1"}]})
    other_host["services"]["nginx"]["ports"] = [PORT | {"host_ip": "10.0.0.2"}]
    assert problems(other_host) == []


FILE = """\
x-common: &common
  network_mode: host

include:
  - more.yaml
services:
  web:
    <<: *common
    image: nginx
    ports:
      - "80:80"
      - target: 90
        published: "91"
  api:
    extends: {file: base.yaml, service: api}
"""


@pytest.fixture
def files(tmp_path: Path) -> SourceLines:
    (tmp_path / "compose.yaml").write_text(FILE)
    (tmp_path / "compose.prod.yaml").write_text("services:\n  web:\n    restart: !reset null\n    image: caddy\n")
    (tmp_path / "more.yaml").write_text("services:\n  extra:\n    pid: host\n")
    (tmp_path / "base.yaml").write_text("services:\n  api:\n    ipc: host\n")
    return SourceLines((tmp_path / "compose.yaml", tmp_path / "compose.prod.yaml"), tmp_path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("services/web/image", "compose.prod.yaml:4"),
        ("services/web/network_mode", "compose.yaml:2"),
        ("services/web/ports/80", "compose.yaml:11"),
        ("services/web/ports/91", "compose.yaml:12"),
        ("services/web/healthcheck", "compose.prod.yaml:2"),
        ("services/extra/pid", "more.yaml:3"),
        ("services/api/ipc", "base.yaml:3"),
        ("nothing/of/this", ""),
    ],
)
def test_a_place_in_the_model_is_found_in_the_files(files: SourceLines, path: str, expected: str) -> None:
    assert files.locate(path.split("/")) == expected


def test_a_problem_says_where_it_comes_from(files: SourceLines) -> None:
    document = with_service("web", {"image": "nginx", "network_mode": "container:x"})

    with pytest.raises(DeployError) as caught:
        require_none(check_carried(parse_stack(document)), "the stack", files.locate)

    assert caught.value.details.startswith("✗ compose.yaml:2: web: network_mode container:x")


def bind(source: Path, target: str = "/d", **more: Any) -> dict[str, Any]:
    return {"type": "bind", "source": str(source), "target": target, "bind": {"create_host_path": True}} | more


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in git: a page, a folder that only a .gitignore is known of, ignored files, a file of settings."""
    for name, text in {
        "html/index.html": "x",
        "html/cache/a.tmp": "x",
        "data/.gitignore": "*\n!.gitignore\n",
        "data/db.sqlite": "x",
        "nginx.conf": "x",
        ".gitignore": "*.tmp\n.env*\nnode_modules\n",
        ".env": "SECRET=1",
        "node_modules/left-pad/index.js": "x",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    commit(tmp_path, "As it is")
    return tmp_path


def placed(project: Path, *mounts: dict[str, Any], **options: Any) -> list[tuple[Place, tuple[str, ...] | None]]:
    services = {
        f"s{number}": {"image": "x", "volumes": [mount], "x-deploy": options} for number, mount in enumerate(mounts)
    }
    places = find_places(parse_stack({"services": services}), project)
    return [(one.place, one.members) for one in map(places.of, mounts)]


def test_folders_of_the_project_travel_and_folders_of_data_stay(project: Path) -> None:
    found = placed(
        project,
        bind(project / "html"),
        bind(project / "data"),
        bind(project / "new"),
        bind(project / "nginx.conf"),
        bind(Path("/srv/x")),
    )

    assert found == [
        (Place.SHIPPED, ("index.html",)),
        (Place.KEPT, None),
        (Place.KEPT, None),
        (Place.SHIPPED, None),
        (Place.HOST, None),
    ]


def test_of_a_folder_that_is_only_read_all_files_travel(project: Path) -> None:
    """Certificates beside a configuration are ignored by git more often than not."""
    assert placed(project, bind(project / "html", read_only=True)) == [(Place.SHIPPED, ("cache/a.tmp", "index.html"))]


def test_of_the_projects_folder_only_what_git_knows_travels(project: Path) -> None:
    (_, members), *_ = placed(project, bind(project, "/code", read_only=True), bind(project / "data"))

    assert members == (".gitignore", "html/index.html", "nginx.conf"), "no .env, no node_modules, no data"


def test_data_of_one_service_is_data_to_those_that_only_read_it(project: Path) -> None:
    reader = bind(project / "data" / "media", "/media", read_only=True)

    assert [place for place, _ in placed(project, reader, bind(project / "data"))] == [Place.KEPT, Place.KEPT]


def test_x_deploy_says_what_to_keep(project: Path) -> None:
    assert [place for place, _ in placed(project, bind(project / "html", "/d"), keep=["/d"])] == [Place.KEPT]


def test_without_git_folders_go_by_what_they_are_called(tmp_path: Path) -> None:
    for name in ("html", "uploads", "pg-data"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    (tmp_path / "empty").mkdir()

    found = placed(tmp_path, *(bind(tmp_path / name) for name in ("html", "uploads", "pg-data", "empty")))

    assert [place for place, _ in found] == [Place.SHIPPED, Place.KEPT, Place.KEPT, Place.KEPT]


def test_folders_of_data_are_told_from_those_of_the_project_and_the_system(project: Path) -> None:
    mounts = [
        bind(project / "html"),
        bind(project / "data"),
        bind(Path("/srv/game")),
        bind(Path("/var/run/docker.sock")),
    ]
    mounts += [bind(project / "other", read_only=True), {"type": "volume", "source": "v", "target": "/v"}]

    assert data_folders({"services": {"a": {"volumes": mounts}}}, project) == {str(project / "data"), "/srv/game"}


def test_what_is_written_to_the_project_is_told(project: Path) -> None:
    services = {"web": {"image": "x", "volumes": [bind(project / "html", "/html"), bind(project / "none.conf")]}}
    stack = parse_stack({"services": services})

    found = [(one.fatal, one.message) for one in check_places(stack, find_places(stack, project))]

    assert found == [
        (False, "web: html goes along with each release, and with it what is written to it"),
        (True, f"web: {project / 'none.conf'} is mounted, and does not exist"),
    ]


def test_what_a_host_must_have_is_asked_for_once(project: Path) -> None:
    document = {
        "services": {
            "web": {"image": "x", "volumes": [bind(Path("/srv/a"), "/a"), bind(project / "html", "/html")]},
            "api": {
                "image": "x",
                "volumes": [bind(Path("/srv/a"), "/b"), {"type": "volume", "source": "v", "target": "/v"}],
                "networks": {"out": None},
                "secrets": [{"source": "s"}],
            },
        },
        "volumes": {"v": {"name": "corp_v", "external": True}},
        "networks": {"out": {"name": "corp_out", "external": True}},
        "secrets": {"s": {"file": "/etc/s"}},
    }
    stack = parse_stack(document)

    found = list(needed_on_host(stack, find_places(stack, project)))

    assert [(one.what, one.name, one.service) for one in found] == [
        ("path", "/srv/a", "web"),
        ("kept", "html", "web"),
        ("path", "/etc/s", "api"),
        ("volume", "corp_v", "api"),
        ("network", "corp_out", "api"),
    ]
    assert found[3].problem.remedy == "make it there: docker volume create corp_v"


def test_a_missing_path_of_ones_own_home_is_told_as_such(project: Path) -> None:
    document = {"services": {"web": {"image": "x", "volumes": [bind(Path.home() / "games")]}}}
    stack = parse_stack(document)

    (needed,) = needed_on_host(stack, find_places(stack, project))

    assert "which is this machine's own home" in needed.problem.message


def script(*words: str, root: Path) -> list[str]:
    file = Path(__file__).parents[2] / "deploy" / "release" / "scripts" / "absent.sh"
    done = subprocess.run(["sh", str(file), str(root), *words], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_host_is_asked_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "shared" / "html").mkdir(parents=True)
    (tmp_path / "shared" / "empty").mkdir()
    (tmp_path / "shared" / "html" / "upload").write_text("x")

    asked = ("path", str(tmp_path), "path", "/none here", "kept", "html", "kept", "empty", "kept", "new")

    assert script(*asked, root=tmp_path) == ["path /none here", "kept html"]
