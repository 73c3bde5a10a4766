"""What every reference stack must go through on a host, in the order in which a team would meet it.

A stack's own file derives a class from this one, with its `reference`, and adds what only this stack has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import ClassVar

import pytest

from tests.lab.conftest import RemoteHost, raise_host
from tests.load import Load
from tests.project import Project, swept, unique
from tests.reference import Reference, clone_of, sql

TO_SANDBOX = ("--host", "sandbox")


class StackStory:
    """The tests build on each other."""

    reference: ClassVar[Reference]

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
        """A fresh clone of this checkout that works on the stack."""
        name = unique(cls.reference.name)
        with swept(name):
            yield Project(clone_of(cls.reference, tmp_path_factory.mktemp("clone")), name)

    @pytest.fixture(scope="class")
    @classmethod
    def released(cls, project: Project) -> RemoteHost:
        """A host with a first release on it."""
        host = raise_host(project)
        project.inv("prod.deploy", *TO_SANDBOX, "--yes")
        return host

    def users(self, host: RemoteHost) -> Load:
        return Load(host.address, self.reference.port, self.reference.requests)

    def rows(self, project: Project, host: RemoteHost, statement: str) -> str:
        container = f"{project.name}-data-{self.reference.database}-1"
        return sql(container, statement, inside=("docker", "exec", host.container))

    def test_a_first_deploy_ends_with_a_served_page(self, project: Project, released: RemoteHost) -> None:
        status, page = released.get(self.reference.page, self.reference.port)
        assert (status, self.reference.shows in page) == (200, True)
        project.inv("prod.status", *TO_SANDBOX)

    def test_the_same_again_is_nothing_to_do(self, project: Project, released: RemoteHost) -> None:
        before = released.containers(project.name)
        done = project.inv("prod.deploy", *TO_SANDBOX, "--yes")
        assert "nothing to do, nothing restarted" in done.stderr
        assert released.containers(project.name) == before

    def test_a_second_release_under_load_loses_no_request(self, project: Project, released: RemoteHost) -> None:
        path, seen = self.reference.changed
        assert seen not in released.get(path, self.reference.port)[1]
        project.edit(*self.reference.change)
        with self.users(released) as load:
            project.inv("prod.deploy", *TO_SANDBOX, "--yes")
        assert load.failed == {}
        assert load.sent > 0
        assert seen in released.get(path, self.reference.port)[1]

    def test_destroyed_data_comes_back(self, project: Project, released: RemoteHost) -> None:
        project.inv("db.backup", "--env", "prod", *TO_SANDBOX)
        before = self.rows(project, released, self.reference.count)
        assert int(before) > 0
        self.rows(project, released, self.reference.destroy)
        assert int(self.rows(project, released, self.reference.count)) == 0

        project.inv("db.restore", "latest", "--env", "prod", *TO_SANDBOX, "--yes")

        assert self.rows(project, released, self.reference.count) == before

    def test_rollback_under_load_returns_to_the_release_before(self, project: Project, released: RemoteHost) -> None:
        path, seen = self.reference.changed
        with self.users(released) as load:
            project.inv("prod.rollback", *TO_SANDBOX, "--yes")
        assert load.failed == {}
        assert seen not in released.get(path, self.reference.port)[1]
        newest = json.loads(project.inv("prod.releases", *TO_SANDBOX, "--json").stdout)[0]
        assert newest["outcome"] == "rolled back"
