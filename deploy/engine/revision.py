"""Which state of the source tree this is."""

from __future__ import annotations

from pathlib import Path

from deploy.model.command import Command
from deploy.model.release import Revision
from deploy.shell import LocalShell

NO_GIT = Revision("nogit", dirty=False)


def revision_of(root: Path) -> Revision:
    """The commit checked out at `root`, and whether the tree differs from it. NO_GIT outside a repository."""
    shell = LocalShell(root)
    if not shell.run(Command("sh", "-c", "command -v git"), check=False).ok:
        return NO_GIT
    log = shell.run(Command("git", "log", "-1", "--format=%h%x09%s", "--abbrev=7"), check=False)
    if not log.ok:
        return NO_GIT
    commit, _, subject = log.stdout.strip().partition("\t")
    status = shell.run(Command("git", "status", "--porcelain"), check=False)
    return Revision(commit[:7], dirty=bool(status.stdout.strip()), subject=subject)
