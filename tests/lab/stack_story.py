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
    stores: ClassVar[frozenset[str]] = frozenset()
    """What a backup has, by name."""

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

    def put_in(self, project: Project, host: RemoteHost) -> None:
        """Something into every store beside the database."""

    def lose(self, project: Project, host: RemoteHost) -> None:
        """What was put in."""

    def has(self, project: Project, host: RemoteHost) -> bool:  # noqa: ARG002  # what others look at
        """Whether what was put in is there."""
        return True

    def test_a_drill_of_a_backup_of_every_store_is_green(self, project: Project, released: RemoteHost) -> None:
        self.put_in(project, released)
        assert self.has(project, released)
        project.inv("db.backup", "--env", "prod", *TO_SANDBOX)
        containers = released.containers("")

        project.inv("db.drill", "--env", "prod", *TO_SANDBOX)

        newest = json.loads(project.inv("db.backups", "--env", "prod", *TO_SANDBOX, "--json").stdout)[-1]
        assert {one["name"] for one in newest["parts"] if one["kind"] != "roles"} == self.stores
        assert newest["proved"]
        assert released.containers("") == containers

    def test_destroyed_data_comes_back(self, project: Project, released: RemoteHost) -> None:
        before = self.rows(project, released, self.reference.count)
        assert int(before) > 0
        self.rows(project, released, self.reference.destroy)
        assert int(self.rows(project, released, self.reference.count)) == 0
        self.lose(project, released)

        done = project.inv("db.restore", "latest", "--env", "prod", *TO_SANDBOX, "--yes")

        assert self.rows(project, released, self.reference.count) == before
        assert self.has(project, released)
        assert "takes this back" in done.stderr
        assert released.get(self.reference.page, self.reference.port)[0] == 200
        project.inv("prod.status", *TO_SANDBOX)

    def test_a_backup_with_a_damaged_part_is_caught(self, project: Project, released: RemoteHost) -> None:
        """Each part in its turn, by one bit of it."""
        listed = json.loads(project.inv("db.backups", "--env", "prod", *TO_SANDBOX, "--json").stdout)
        name = next(one["id"] for one in listed if one["label"] == "manual")
        folder = f"/opt/{project.name}/backups/{name}"
        for file in released.sh(f"cd {folder} && ls | grep -v -e manifest.json -e proofs.jsonl").split():
            released.sh(
                f"cd {folder} && cp -p {file} kept && at=$(($(stat -c %s {file}) / 2)) && "
                f"was=$(od -An -tu1 -j $at -N 1 {file}) && "
                f'printf "\\\\$(printf %o $((was ^ 1)))" | dd of={file} bs=1 seek=$at conv=notrunc status=none'
            )
            only = ("--only", file.split(".")[0])
            done = project.attempt("db.drill", "--backup", name, *only, "--env", "prod", *TO_SANDBOX)
            released.sh(f"cd {folder} && mv kept {file}")
            assert done.returncode == 1, file
            assert "its content has changed since the backup was made" in done.stderr, file

    def test_rollback_under_load_returns_to_the_release_before(self, project: Project, released: RemoteHost) -> None:
        path, seen = self.reference.changed
        with self.users(released) as load:
            project.inv("prod.rollback", *TO_SANDBOX, "--yes")
        assert load.failed == {}
        assert seen not in released.get(path, self.reference.port)[1]
        newest = json.loads(project.inv("prod.releases", *TO_SANDBOX, "--json").stdout)[0]
        assert newest["outcome"] == "rolled back"
