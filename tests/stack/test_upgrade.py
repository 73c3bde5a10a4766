"""Major upgrades of PostgreSQL on a development stack: 15 to 17 and back, with everything that a server holds."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator

import pytest

from deploy.shell.packaged import packaged
from tests.project import Project, commit, docker, eventually, swept, unique

TASKS = "from deploy.tasks import namespace\n\nns = namespace(__file__)\n"
COMPOSE = """\
services:
  db:
    image: postgres:15
    environment: {POSTGRES_USER: till, POSTGRES_DB: till, POSTGRES_PASSWORD: superuser-pass}
    volumes: ["pg:/var/lib/postgresql/data", "./seed.sql:/docker-entrypoint-initdb.d/seed.sql:ro"]
    healthcheck: {test: [CMD, pg_isready, -h, 127.0.0.1, -U, till], start_period: 20s, start_interval: 250ms}
  app:
    image: python:3.13-slim
    command: [python, -m, http.server, "8000"]
    stop_grace_period: 1s
    x-deploy: {kind: web}
volumes:
  pg:
"""
SEED = """\
CREATE ROLE boss;
CREATE ROLE teller LOGIN PASSWORD 'teller-pass';
GRANT boss TO teller WITH ADMIN OPTION;
ALTER ROLE teller SET statement_timeout = '7s';
CREATE EXTENSION hstore;
CREATE TABLE receipts (id serial PRIMARY KEY, what text, more hstore);
INSERT INTO receipts (what, more) SELECT md5(n::text), 'paid=>yes' FROM generate_series(1, 5000) n;
CREATE INDEX ON receipts (what);
SELECT setval('receipts_id_seq', 9000);
GRANT SELECT ON receipts TO boss;
SELECT lo_from_bytea(0, 'a large object');
ALTER DATABASE till SET work_mem = '9MB';
CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0 OWNER teller;
CREATE DATABASE german TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-DE';
ALTER ROLE teller IN DATABASE german SET search_path = 'till', public;
REVOKE CONNECT ON DATABASE german FROM public;
GRANT CONNECT ON DATABASE german TO boss;
ALTER SYSTEM SET log_min_duration_statement = '2s';
\\c latin
SET client_encoding = 'UTF8';
CREATE TABLE words (word text);
INSERT INTO words VALUES ('grün');
"""


def sql(project: Project, statement: str, database: str = "till") -> str:
    words = ("psql", "-U", "till", "-d", database, "-v", "ON_ERROR_STOP=1", "-Atqc", statement)
    return docker("exec", container(project), *words)


def container(project: Project, service: str = "db") -> str:
    return f"{project.name}-dev-{service}-1"


def identity(project: Project) -> tuple[str, str]:
    """Which containers the services have."""
    return tuple(
        docker("container", "inspect", "--format", "{{.Id}}", container(project, one)) for one in ("db", "app")
    )  # type: ignore[return-value]


def runs(project: Project, service: str) -> str:
    return docker("container", "inspect", "--format", "{{.State.Status}}", container(project, service))


def rows(project: Project) -> str:
    return sql(project, "SELECT count(*), sum(hashtext(receipts::text)) FROM receipts")


def leftovers(project: Project) -> list[str]:
    label = f"label=windlass.scratch={project.name}-dev"
    found = docker("ps", "--all", "--quiet", "--filter", label) + docker("volume", "ls", "--quiet", "--filter", label)
    return found.split()


def volumes(project: Project) -> list[str]:
    return sorted(docker("volume", "ls", "--quiet", "--filter", f"name={project.name}").split())


@pytest.fixture(scope="module")
def till(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A server of PostgreSQL 15 with a little of everything, and something that uses it."""
    name, root = unique("till"), tmp_path_factory.mktemp("till")
    for file, text in {"tasks.py": TASKS, "compose.yaml": COMPOSE, "seed.sql": SEED}.items():
        (root / file).write_text(text)
    commit(root, "As it is")
    with swept(name):
        project = Project(root, name)
        project.inv("dev.up")
        yield project


def test_without_a_newer_image_in_the_compose_file_it_says_what_to_do(till: Project) -> None:
    done = till.inv("db.upgrade", "--yes", expect=2)

    assert "db is PostgreSQL 15, and so is postgres:15 in the compose file" in done.stderr
    assert "name the newer image first" in done.stderr


def test_an_image_of_another_version_is_refused_before_anything_is_stopped(till: Project) -> None:
    before = identity(till)
    till.edit("compose.yaml", "postgres:15", "postgres:17")

    done = till.inv("dev.up", expect=1)

    assert "compose.yaml:3: db: the data is PostgreSQL 15's and the image is PostgreSQL 17" in done.stderr
    assert "inv db.upgrade --service db" in done.stderr
    assert (identity(till), runs(till, "db"), runs(till, "app")) == (before, "running", "running")
    assert "the compose file names postgres:17" in till.inv("db.upgrade", "--to", "16", expect=2).stderr


def test_what_the_new_version_cannot_take_is_found_while_the_old_one_serves(till: Project) -> None:
    before, held = identity(till), rows(till)
    sql(till, "CREATE VIEW gone AS SELECT buffers_backend FROM pg_stat_bgwriter")  # no longer there in 17

    done = till.inv("db.upgrade", "--yes", expect=1)

    assert "buffers_backend does not exist" in done.stderr
    assert "nothing was changed" in done.stderr
    assert "Let nobody reach" not in done.stderr
    assert (identity(till), rows(till), leftovers(till)) == (before, held, [])
    sql(till, "DROP VIEW gone")


def test_an_extension_that_the_new_image_lacks_is_named(till: Project) -> None:
    share = "/usr/share/postgresql/15/extension"
    control = f"printf \"default_version = '1'\\n\" >{share}/rare.control; echo 'SELECT 1;' >{share}/rare--1.sql"
    docker("exec", container(till), "sh", "-euc", control)
    sql(till, "CREATE EXTENSION rare")

    done = till.inv("db.upgrade", "--yes", expect=1)

    assert "lacks extensions that are in use: rare (till)" in done.stderr
    assert leftovers(till) == []
    sql(till, "DROP EXTENSION rare")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_upgrade_that_is_cut_short_leaves_the_old_server_as_it_was(till: Project, number: signal.Signals) -> None:
    before, held, kept = identity(till), rows(till), volumes(till)

    begun = till.start("db.upgrade", "--yes")
    eventually(lambda: runs(till, "db") == "exited", 400)
    assert runs(till, "app") == "exited"
    begun.send_signal(number)
    begun.communicate()

    assert begun.returncode in {130, -signal.SIGKILL}
    eventually(lambda: runs(till, "app") == "running", 300)
    assert identity(till) == before
    assert eventually(lambda: rows(till), 30) == held
    if number == signal.SIGINT:
        assert (leftovers(till), volumes(till)) == ([], kept)


def test_a_service_that_does_not_become_healthy_is_put_back(till: Project) -> None:
    held, kept, good = rows(till), volumes(till), "[CMD, pg_isready, -h, 127.0.0.1, -U, till]"
    picky = """["CMD-SHELL", "grep -qx 15 $$PGDATA/PG_VERSION"], interval: 1s"""
    till.edit("compose.yaml", good, picky)

    done = till.inv("db.upgrade", "--yes", expect=1)

    assert "db is not healthy; everything is what it was before the upgrade" in done.stderr
    assert sql(till, "SHOW server_version").startswith("15")
    assert (rows(till), runs(till, "app"), leftovers(till), volumes(till)) == (held, "running", [], kept)
    till.edit("compose.yaml", picky, good)


def test_everything_is_there_after_an_upgrade(till: Project) -> None:
    held = rows(till)

    done = till.inv("db.upgrade", "--yes", "--to", "17")

    assert "is PostgreSQL 17 with everything that was in it" in done.stderr
    assert sql(till, "SHOW server_version").startswith("17")
    assert rows(till) == held
    assert sql(till, "SELECT nextval('receipts_id_seq')") == "9001"
    assert sql(till, "SELECT convert_from(lo_get(oid), 'UTF8') FROM pg_largeobject_metadata") == "a large object"
    assert sql(till, "SHOW work_mem") == "9MB"
    assert sql(till, "SHOW log_min_duration_statement") == "2s"
    assert sql(till, "SELECT extname FROM pg_extension ORDER BY 1").split() == ["hstore", "plpgsql"]
    assert sql(till, "SELECT reltuples FROM pg_class WHERE relname = 'receipts'") == "5000"
    databases = (
        "SELECT datname, pg_encoding_to_char(encoding), datlocprovider, datlocale FROM pg_database WHERE datname = "
    )
    assert sql(till, f"{databases} 'latin'") == "latin|LATIN1|c|"
    assert sql(till, f"{databases} 'german'") == "german|UTF8|i|de-DE"
    assert sql(till, "SET client_encoding = 'UTF8'; SELECT word FROM words", "latin") == "grün"
    assert (runs(till, "app"), leftovers(till)) == ("running", [])
    assert f"{till.name}-dev_pg_pg15" in volumes(till)


def test_roles_log_in_with_the_passwords_they_had(till: Project) -> None:
    def ask(password: str, query: str, database: str = "german") -> str:
        address = docker("exec", container(till), "hostname", "-i")
        words = ("exec", "-e", f"PGPASSWORD={password}", container(till), "psql", "-w", "-h", address, "-U", "teller")
        return docker(*words, "-d", database, "-Atqc", query, check=False)

    assert ask("teller-pass", "SHOW search_path") == "till, public"
    assert ask("teller-pass", "SHOW statement_timeout") == "7s"
    assert ask("teller-pass", "SELECT count(*) FROM receipts", "till") == "5000"
    assert ask("another-pass", "SELECT 1") == ""
    assert "superuser-pass" not in json.dumps([path.read_text() for path in till.root.glob("backups/*/*.json")])


def test_the_stack_is_as_its_compose_file_says_then(till: Project) -> None:
    before = identity(till)

    till.inv("dev.up")

    assert identity(till) == before


def test_the_way_back_brings_the_data_of_before(till: Project) -> None:
    sql(till, "INSERT INTO receipts (what) VALUES ('written on 17')")
    assert "the compose file names postgres:17" in till.inv("db.upgrade", "--back", "--yes", expect=2).stderr
    till.edit("compose.yaml", "postgres:17", "postgres:15")
    assert "inv db.upgrade --back" in till.inv("dev.up", expect=1).stderr

    done = till.inv("db.upgrade", "--back", "--yes")

    assert "only a backup has it then" in done.stderr
    assert sql(till, "SHOW server_version").startswith("15")
    assert sql(till, "SELECT count(*) FROM receipts") == "5000"
    assert runs(till, "app") == "running"
    labels = [json.loads(path.read_text())["label"] for path in sorted(till.root.glob("backups/*/manifest.json"))]
    assert set(labels) == {"pre-upgrade"}
    assert "this removes" in till.inv("db.upgrade", "--done", expect=2).stderr
    till.inv("db.upgrade", "--done", "--yes")
    assert f"{till.name}-dev_pg_pg15" not in volumes(till)


@pytest.mark.parametrize(
    "half",
    ["mkdir -p /place/base/1 /place/global; echo 15 >/place/base/1/PG_VERSION", "mkdir /place/.windlass-incoming"],
)
def test_half_a_copy_is_put_in_nobodys_place(till: Project, half: str) -> None:
    """As a crash of the machine leaves one: it must not replace data that is whole."""
    source, target = f"{till.name}-half", f"{till.name}-whole"

    def inside(volume: str, script: str) -> str:
        return docker(
            "run", "--rm", "--entrypoint", "sh", "--volume", f"{volume}:/place", "postgres:15", "-euc", script
        )

    inside(source, half)
    inside(target, "mkdir -p /place/global; echo 15 >/place/PG_VERSION")

    done = subprocess.run(
        packaged("data", "cluster.sh", "put", "postgres:15", source, target),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (1, "what is to be copied is no whole data of a server\n")
    assert inside(target, "cat /place/PG_VERSION") == "15"
    docker("volume", "rm", source, target)
