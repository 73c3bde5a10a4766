"""The life of a cluster's nodes: one is drained and comes back, one is lost, one leaves; what its registry forgets."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.lab.cluster import failures, joined, load_on, rolling_shop, say, status
from tests.lab.conftest import RemoteHost
from tests.project import Project, eventually

NODES = ("m1", "w1", "w2")
RUNNING = ("docker", "ps", "--format", '{{.Label "com.docker.swarm.service.name"}} {{.ID}}')


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with rolling_shop(tmp_path_factory.mktemp("shop"), "nodes", NODES) as project:
        settings = project.root / "invoke.yaml"
        settings.write_text(settings.read_text() + "      keep: 2\n")
        yield project


@pytest.fixture(scope="module")
def live(shop: Project) -> dict[str, RemoteHost]:
    """A cluster with a first release."""
    hosts = joined(shop, NODES, "--label", "sandbox-w1=zone=b", "--label", "sandbox-w2=zone=c")
    shop.inv("prod.deploy", "--yes")
    return hosts


def running(host: RemoteHost) -> dict[str, str]:
    """Containers of the cluster's services on a node, id to service."""
    rows = [line.split() for line in host.run(*RUNNING).splitlines()]
    return {row[1]: row[0] for row in rows if len(row) == 2}


def ask_cluster(host: RemoteHost, *words: str) -> str:
    return host.run("docker", "node", *words)


def images(host: RemoteHost, project: str) -> set[str]:
    """Digests of a project's images of the cluster's registry that a node has."""
    told = host.run("docker", "image", "ls", "--digests", "--format", "{{.Repository}} {{.Digest}}")
    rows = [line.split() for line in told.splitlines()]
    return {digest for name, digest in rows if name.startswith(f"127.0.0.1:5577/{project}/") and digest != "<none>"}


def in_registry(host: RemoteHost, project: str) -> tuple[set[str], int]:
    """Digests of a project's images in the registry, and what the registry takes of the disk in kB."""
    folder = "/var/lib/docker/volumes/windlass-registry/_data"
    kept = f"{folder}/docker/registry/v2/repositories/{project}"
    told = host.sh(f"cd {kept} && ls -d */_manifests/revisions/sha256/*; du -sk {folder} | cut -f 1")
    *digests, size = told.splitlines()
    return {f"sha256:{one.rpartition('/')[2]}" for one in digests}, int(size)


def test_a_drain_moves_what_runs_there_and_loses_no_request(shop: Project, live: dict[str, RemoteHost]) -> None:
    before = {name: running(host) for name, host in live.items()}
    assert any(name.startswith(f"{shop.name}_") for name in before["w1"].values())
    plan = shop.inv("--dry", "host.drain", "--host", "sandbox-w1").stderr
    assert re.search(rf"moves .*{shop.name}_", plan)
    assert {name: running(host) for name, host in live.items()} == before

    with load_on(live) as loads:
        shop.inv("host.drain", "--host", "sandbox-w1", "--yes")

    drained = loads.pop(NODES.index("w1"))
    assert not failures(loads)
    # its own edge ends last, and until then every answer was good
    assert all("ConnectionRefused" in kind for kind in drained.failed), drained.failed
    assert drained.answers.total() > 100
    assert running(live["w1"]) == {}
    for name in ("m1", "w2"):
        assert before[name].keys() <= running(live[name]).keys()
    found = status(shop)
    assert all("sandbox-w1" not in row["nodes"] for row in found["services"])  # type: ignore[attr-defined]
    assert "sandbox-w1 rests (drain)" in str(found["hints"])
    constraints = "{{.Spec.Name}} {{.Spec.TaskTemplate.Placement.Constraints}}"
    listed = live["m1"].run("docker", "service", "ls", "--quiet").split()
    assert "node.id!=" not in live["m1"].run("docker", "service", "inspect", "--format", constraints, *listed)


def test_a_node_that_is_back_gets_its_share_without_a_lost_request(shop: Project, live: dict[str, RemoteHost]) -> None:
    data = {name for name in running(live["m1"]) if "-data_" in running(live["m1"])[name]}
    with load_on({name: live[name] for name in ("m1", "w2")}) as loads:
        shop.inv("host.activate", "--host", "sandbox-w1", "--yes")

    assert not failures(loads)
    assert any(name.startswith(f"{shop.name}_") for name in running(live["w1"]).values())
    assert live["w1"].get("/")[0] == 200
    assert data <= running(live["m1"]).keys()
    assert status(shop)["hints"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("host.drain", "--host", "sandbox-m1", "--yes"), "--with-data"),
        (("host.drain", "--host", "sandbox-m9", "--yes"), "there is no sandbox-m9"),
        (("host.drain", "--yes"), "which node?"),
        (("host.drain", "--host", "sandbox-w1"), "--yes was not given"),
        (("host.leave", "--host", "sandbox-m1", "--yes"), "only manager"),
        (("host.leave", "--host", "sandbox-w1", "--env", "dev", "--yes"), "no cluster"),
        (("host.setup", "--swarm", "--host", "sandbox-w1,sandbox-m1"), "does not manage it"),
    ],
)
def test_what_would_stop_something_or_names_nobody_is_refused(
    shop: Project, live: dict[str, RemoteHost], words: tuple[str, ...], said: str
) -> None:
    before = {name: running(host) for name, host in live.items()}
    done = shop.attempt(*words)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert {name: running(host) for name, host in live.items()} == before


def test_images_that_no_kept_release_runs_leave_the_registry_and_the_nodes(
    shop: Project, live: dict[str, RemoteHost]
) -> None:
    blob = shop.root / "app" / "blob"

    def deploy(text: str) -> None:
        say(shop, text)
        blob.write_bytes(text.encode() * 1_000_000)
        shop.inv("prod.deploy", "--yes")

    first, _ = in_registry(live["m1"], shop.name)
    deploy("second")
    second, _ = in_registry(live["m1"], shop.name)
    # a push of somebody else's, on its way: what it sends belongs to no image yet
    mark = ("docker", "config", "create", "--label")
    live["m1"].sh(f"echo x | {' '.join(mark)} windlass.at=$(date +%s) windlass-registry.push.other -")
    deploy("third")
    third, most = in_registry(live["m1"], shop.name)
    assert first < second < third

    live["m1"].run("docker", "config", "rm", "windlass-registry.push.other")
    done = shop.inv("prod.prune", "--yes")
    kept, size = in_registry(live["m1"], shop.name)
    assert "no release to remove" in done.stderr
    assert re.search(r"registry: [\d.]+ [kM]B freed", done.stderr)
    assert kept == third & named(live["m1"], shop.name)
    assert first - kept
    assert size < most
    for host in live.values():
        assert images(host, shop.name) <= kept

    shop.inv("prod.rollback", "--yes")
    assert live["w2"].get("/")[1].startswith("second")


def named(host: RemoteHost, project: str) -> set[str]:
    """Digests that the releases on the manager would run."""
    told = host.sh(f"cat /opt/{project}/releases/*/swarm/*/stack.json")
    return {*re.findall(r"sha256:[0-9a-f]{64}", told)}


def test_a_lost_node_leaves_and_comes_back_as_what_it_was(shop: Project, live: dict[str, RemoteHost]) -> None:
    lost = live["w2"]
    lost.stop_engine()
    eventually(lambda: "node sandbox-w2 is down" in str(shop.attempt("prod.status", "--json").stdout), 180)
    shop.inv("host.leave", "--host", "sandbox-w2", "--yes")
    assert len(ask_cluster(live["m1"], "ls", "--quiet").split()) == 2
    lost.start_engine()
    eventually(lost.engine_answers, 180)
    every = ",".join(host.spec for host in live.values())
    # it joins anew as soon as its engine knows that it was removed, and is told what to do until then
    again = shop.attempt("host.setup", "--swarm", "--host", every)
    if again.returncode:
        assert "was removed from this one" in again.stderr
        lost.run("docker", "swarm", "leave", "--force")

    # one that leaves by hand stays in the list as down, and has its labels when it is back
    live["w1"].run("docker", "swarm", "leave")
    eventually(lambda: "Down" in ask_cluster(live["m1"], "ls", "--format", "{{.Hostname}} {{.Status}}"), 180)
    done = shop.inv("host.setup", "--swarm", "--host", every, "--managers", "3", "--label", "sandbox-m1=zone=")
    assert f"{2 if again.returncode else 1} of them new" in done.stderr
    assert "in the place of" in done.stderr
    assert len(ask_cluster(live["m1"], "ls", "--quiet").split()) == 3
    assert "zone:b" in ask_cluster(live["m1"], "inspect", "sandbox-w1", "--format", "{{.Spec.Labels}}")
    eventually(lambda: shop.attempt("prod.status").returncode == 0, 180)


def test_a_manager_leaves_as_long_as_the_others_do_not_need_it(shop: Project, live: dict[str, RemoteHost]) -> None:
    with load_on({name: live[name] for name in ("m1", "w2")}) as loads:
        shop.inv("host.leave", "--host", "sandbox-w1", "--yes")

    assert not failures(loads)
    assert live["w1"].run("docker", "info", "--format", "{{.Swarm.LocalNodeState}}") == "inactive"
    assert ask_cluster(live["m1"], "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}").count("Reachable") == 1
    eventually(lambda: status(shop)["problems"] == [], 180)
