"""A host that is another kind of machine than this one: its images are built for it, or nothing is begun."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest

from deploy.engine.compose import ComposeProject
from deploy.engine.images import inspect
from deploy.engine.platforms import builder_platforms, native_platform
from deploy.model.layout import HostLayout
from deploy.model.settings import parse_settings
from deploy.push.send import push_images
from deploy.release.deploy import obtain_and_build, plan_deploy
from deploy.release.prepare import Prepared, prepare
from deploy.release.push import receiver
from deploy.release.site import Site
from deploy.remote.connection import Host
from deploy.remote.target import resolve
from deploy.shell import LocalShell
from deploy.ui import Console, Step
from tests.lab.conftest import RemoteHost
from tests.project import Project

OTHER = {"linux/amd64": ("aarch64", "linux/arm64"), "linux/arm64": ("x86_64", "linux/amd64")}


@pytest.fixture(scope="module")
def other_machine(host: RemoteHost) -> RemoteHost:
    """A host that says it is another kind of machine."""
    machine, _ = OTHER[native_platform()]
    host.sh(f"printf '#!/bin/sh\\necho {machine}\\n' >/usr/local/bin/uname && chmod +x /usr/local/bin/uname")
    return host


def prepared_for(folder: Path, site: Site, name: str) -> Prepared:
    environment = parse_settings({"project": name}, folder=name).environment("prod")
    compose = ComposeProject(LocalShell(folder), name, (folder / "compose.yaml",))
    return prepare(compose, environment, folder, datetime.now(UTC), architecture=lambda: site.first_look.architecture)


def test_images_are_built_for_the_host(shop: Project, other_machine: RemoteHost, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {backend: {build: ., restart: always}}\n")
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY program /program\nCMD [/program]\n")
    (tmp_path / "program").write_text("for whatever machine\n")
    _, wanted = OTHER[native_platform()]
    local, console = LocalShell(), Console()
    shell = Host(resolve(other_machine.spec, shop.root / ".windlass" / other_machine.spec / "ssh_config"))
    try:
        site = Site(shell, HostLayout(shop.name, PurePosixPath(f"/home/deploy/{shop.name}")), other_machine.address)
        prepared = prepared_for(tmp_path, site, shop.name)
        plan, facts = plan_deploy(prepared, site, local)
        obtain_and_build(prepared, plan, local, console)
        sent = push_images(local, receiver(site, facts), plan.push, Step("push"), earlier={})
        there = inspect(shell, plan.push)
    finally:
        shell.close()
    assert not sent.notes
    assert {image.platform for image in there.values()} == {wanted}
    here = prepare(
        ComposeProject(local, shop.name, (tmp_path / "compose.yaml",)),
        prepared.environment,
        tmp_path,
        datetime.now(UTC),
        architecture=lambda: native_platform().rpartition("/")[2],
    )
    assert {one.reference for one in here.sources.values()}.isdisjoint(there), "one name never means two images"


def test_a_builder_that_cannot_run_the_hosts_programs_is_seen_before_the_build(
    shop: Project, other_machine: RemoteHost
) -> None:
    _, wanted = OTHER[native_platform()]
    if wanted in builder_platforms(LocalShell()):
        pytest.skip(f"this machine can run {wanted}")
    shop.env["DB_PASSWORD"] = "hush-7Fq2xLkP0w"

    done = shop.inv("prod.plan", "--host", other_machine.spec, "--json", expect=1)

    assert f"the host needs {wanted}, and the builder of this machine cannot run that" in done.stderr
    assert "builder:" in done.stderr
    assert not done.stdout or json.loads(done.stdout) == []
