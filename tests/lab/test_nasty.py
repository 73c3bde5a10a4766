"""A project whose every value is hostile to a shell, on a host: each arrives as it is, and none is run."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from deploy.data.postgres import connection
from deploy.model.command import Command, script
from deploy.remote.connection import Host
from deploy.remote.target import resolve
from tests.lab.conftest import RemoteHost, raise_host
from tests.nasty import texts
from tests.project import Project, commit, swept, unique

AT = ("--host", "sandbox")
PROD = ("--env", "prod", *AT)
NASTY = 'it\'s "$(touch /tmp/pwned)" `touch /tmp/pwned`; touch /tmp/pwned & *  -x é'
DATABASE = 'Sh\'op "$(x)"; -- *?.=é'
CHECKOUT = "my pro'ject $(touch pwned) 100% é"
FOLDER = "a folder's $(touch pwned) & *"
FILE = '-file `x` "é".txt'
DATA = "up loads; it's"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    name = unique("nasty")
    root = tmp_path_factory.mktemp("nasty") / CHECKOUT
    (root / FOLDER).mkdir(parents=True)
    (root / FOLDER / FILE).write_text("shipped\n")
    (root / "tasks.py").write_text("from deploy.tasks import namespace\n\nns = namespace(__file__)\n")
    (root / "compose.yaml").write_text(yaml.safe_dump(_stack(), allow_unicode=True))
    (root / ".env.prod").write_text("NASTY='" + NASTY.replace("'", "\\'") + "'\n")
    (root / ".gitignore").write_text(f".env*\n/{DATA}\n.windlass\n")
    commit(root, f"{NASTY}\n")
    with swept(name):
        yield Project(root, name)


def _stack() -> dict[str, object]:
    def escaped(text: str) -> str:
        return text.replace("$", "$$")

    check = {"interval": "10s", "start_period": "30s", "start_interval": "250ms"}
    db = {
        "image": "postgres:17",
        "environment": {"POSTGRES_HOST_AUTH_METHOD": "trust", "POSTGRES_DB": escaped(DATABASE)},
        "volumes": ["pg:/var/lib/postgresql/data"],
        "healthcheck": {"test": ["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "postgres"], **check},
        "x-deploy": {"allow": {"trust-authentication": f"what it is called is tried here: {escaped(NASTY)}"}},
    }
    web = {
        "image": "nginx:alpine",
        "ports": ["80:80"],
        "environment": {"NASTY": "${NASTY}", "LABELLED": escaped(NASTY)},
        "labels": {"nasty.label": escaped(NASTY)},
        "volumes": [
            {"type": "bind", "source": f"./{escaped(FOLDER)}", "target": "/shipped folder", "read_only": True},
            {"type": "bind", "source": f"./{DATA}", "target": "/data it's"},
        ],
        "stop_grace_period": "2s",
        "x-deploy": {
            "pending": "false",
            "migrate": ["sh", "-c", 'printf "%s" "$$1" >"/data it\'s/migrated"', "sh", escaped(NASTY)],
            "keep": ["/data it's"],
            "kind": "web",
        },
    }
    return {"services": {"db": db, "web.api_1-x": web}, "volumes": {"pg": None}}


@pytest.fixture(scope="module")
def live(project: Project) -> RemoteHost:
    host = raise_host(project)
    project.inv("prod.deploy", *AT, "--yes")
    return host


def inside(project: Project, host: RemoteHost, *words: str) -> str:
    name = next(name for name in host.containers(project.name) if "web.api_1-x" in name)
    return host.run("docker", "exec", name, *words)


def require_nothing_run(project: Project, host: RemoteHost) -> None:
    assert host.sh("find / -xdev -name 'pwned*' ! -path '/proc/*' 2>/dev/null || true") == ""
    assert not [*project.root.rglob("pwned")]
    assert not Path("/tmp/pwned").exists()


@pytest.mark.parametrize("seed", range(3))
def test_every_word_arrives_over_ssh(project: Project, live: RemoteHost, seed: int) -> None:
    words = [*texts(seed, 150)]
    target = resolve("sandbox", project.root / ".windlass" / "sandbox" / "ssh_config")
    host = Host(target)
    try:
        plain = host.run(Command("printf", r"%s\0", *words)).stdout
        scripted = host.run(script('for word in "$@"; do printf "%s\\0" "$word"; done', "print.sh", *words)).stdout
    finally:
        host.close()

    assert plain.split("\0")[:-1] == words
    assert scripted.split("\0")[:-1] == words
    require_nothing_run(project, live)


def test_values_files_and_commands_of_a_release_are_as_they_were_written(project: Project, live: RemoteHost) -> None:
    assert inside(project, live, "printenv", "NASTY", "LABELLED") == f"{NASTY}\n{NASTY}"
    assert inside(project, live, "cat", f"/shipped folder/{FILE}") == "shipped"
    assert inside(project, live, "cat", "/data it's/migrated") == NASTY
    require_nothing_run(project, live)


def test_words_of_exec_are_the_containers_own(project: Project, live: RemoteHost) -> None:
    quoted = Command("printf", r"%s\n", *[text for text in texts(1, 20) if text.isprintable()]).shell()

    done = project.inv("prod.exec", "web.api_1-x", quoted, *AT)

    assert done.stdout.split("\n")[:-1] == [text for text in texts(1, 20) if text.isprintable()]


def test_messages_are_shown_as_they_were_typed(project: Project, live: RemoteHost) -> None:
    project.inv("prod.lock", "--message", NASTY, *AT)
    project.edit("compose.yaml", "stop_grace_period: 2s", "stop_grace_period: 3s")
    refused = project.attempt("prod.deploy", *AT, "--yes")
    assert refused.returncode
    assert NASTY in refused.stdout + refused.stderr
    project.inv("prod.unlock", *AT)

    project.inv("prod.maintenance", "on", "--message", NASTY, *AT)
    assert html.escape(NASTY) in live.get()[1]
    project.inv("prod.maintenance", "off", *AT)
    require_nothing_run(project, live)


def test_a_database_with_such_a_name_is_backed_up_proved_and_restored(project: Project, live: RemoteHost) -> None:
    psql = (
        "docker",
        "exec",
        f"{project.name}-data-db-1",
        "psql",
        "-U",
        "postgres",
        "-d",
        connection(DATABASE),
        "-Atqc",
    )
    live.run(*psql, 'CREATE TABLE "it\'s; $(x) ""t""" AS SELECT 7 AS "a b"')
    project.inv("db.backup", *PROD)
    project.inv("db.drill", *PROD)
    live.run(*psql, 'DROP TABLE "it\'s; $(x) ""t"""')

    project.inv("db.restore", "latest", *PROD, "--yes")

    assert live.run(*psql, 'SELECT "a b" FROM "it\'s; $(x) ""t"""') == "7"
    stored = json.loads(project.inv("db.backups", *PROD, "--json").stdout)
    assert f"db/{DATABASE}" in [part["name"] for part in stored[0]["parts"]]
    for word in ("../x", "-x", "$(touch /tmp/pwned)", "a b"):
        assert "no backup is called" in project.inv("db.restore", word, *PROD, expect=2).stderr
    require_nothing_run(project, live)
