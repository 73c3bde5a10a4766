"""Steps that begin too late: their change was given up, or another has taken over. Real processes, no engine."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from deploy.model.command import Command
from deploy.model.errors import CommandError
from deploy.model.layout import HostLayout
from deploy.release.site import Site
from deploy.shell import LocalShell


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A project's folder on this machine, where a change is on."""
    site = Site(LocalShell(), HostLayout("shop", PurePosixPath(tmp_path)), "127.0.0.1")
    site.fence.token = "first"
    site.shell.run(site.bare("fence.sh", str(tmp_path), "first"))
    return site


def test_a_step_of_the_change_that_is_on_begins(site: Site) -> None:
    assert site.shell.run(site.guarded(Command("echo", "begun"))).stdout == "begun\n"


def test_a_step_that_was_sent_before_the_undo_never_begins(site: Site) -> None:
    late = site.guarded(Command("echo", "begun"))

    site.raise_fence()

    done = site.shell.run(late, check=False)
    assert (done.exit_code, done.stdout) == (77, "")
    assert "came too late" in done.stderr
    assert site.shell.run(site.guarded(Command("echo", "undone"))).stdout == "undone\n"


def test_who_was_taken_over_from_changes_nothing_any_more(site: Site) -> None:
    site.shell.run(site.bare("fence.sh", str(site.layout.root), "another"))

    with pytest.raises(CommandError, match="77"):
        site.raise_fence()
    assert site.shell.run(site.guarded(Command("true")), check=False).exit_code == 77


def test_a_step_without_a_change_needs_no_token(site: Site) -> None:
    site.fence.token = ""

    assert site.shell.run(site.guarded(Command("echo", "begun"))).stdout == "begun\n"
