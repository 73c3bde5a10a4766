"""A reference stack on a cluster: it migrates, rolls over, and what it keeps is backed up and proved."""

from __future__ import annotations

import json

import pytest

from tests.lab.conftest import RemoteHost, raise_host
from tests.load import Load, Request
from tests.project import Project

SETTINGS = """\
deploy:
  stack: timetracker
  environments:
    prod:
      engine: swarm
      hosts: [sandbox-m1]
      nodes: [sandbox-w1]
"""


@pytest.fixture(scope="module")
def live(timetracker: Project) -> dict[str, RemoteHost]:
    """Two nodes with a first release."""
    (timetracker.root / "invoke.yaml").write_text(SETTINGS)
    hosts = {name: raise_host(timetracker, name) for name in ("m1", "w1")}
    timetracker.inv("host.setup", "--swarm", "--host", "sandbox-m1,sandbox-w1")
    addresses = ",".join(host.address for host in hosts.values())
    timetracker.env["ALLOWED_HOSTS"] = addresses
    done = timetracker.inv("prod.deploy", "--yes")
    assert "pending: backend" in done.stderr
    return hosts


def test_the_stack_answers_on_both_nodes(live: dict[str, RemoteHost]) -> None:
    assert all(host.get("/api/health")[0] == 200 for host in live.values())


def test_another_release_rolls_over_under_load(timetracker: Project, live: dict[str, RemoteHost]) -> None:
    manage = timetracker.root / "apps" / "timetracker" / "backend" / "manage.py"
    manage.write_text(manage.read_text() + "# another\n")
    with Load(live["w1"].address, 80, (Request("/"), Request("/api/health")), clients=4) as load:
        done = timetracker.inv("prod.deploy", "--yes")

    assert load.sent > 100
    assert not load.failed
    assert "= nginx      keep" in done.stderr


def test_what_it_keeps_is_backed_up_and_proved(timetracker: Project, live: dict[str, RemoteHost]) -> None:
    assert live
    done = timetracker.inv("db.backup", "--env", "prod")
    assert "backend/media_data" in done.stderr
    timetracker.inv("db.drill", "--env", "prod")
    (backup,) = json.loads(timetracker.inv("db.backups", "--env", "prod", "--json").stdout)
    assert backup["proved"]


def test_the_rules_show_what_a_cluster_leaves_out(timetracker: Project) -> None:
    assert "no-new-privileges" in timetracker.inv("prod.check", "--local").stdout
