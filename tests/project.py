"""Projects to work on in tests: throw-away copies with names, ports and sandboxes of their own."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import TypeVar

from tests.conftest import ROOT

INV = Path(sys.executable).parent / "inv"
T = TypeVar("T")


@dataclass
class Project:
    """A project's folder, and `inv` in it."""

    root: Path
    name: str
    env: dict[str, str] = field(default_factory=dict)

    def environ(self) -> dict[str, str]:
        """What tasks of the project run in."""
        return os.environ | self.env | {"INVOKE_DEPLOY_PROJECT": self.name}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Begin a task and leave it to the caller."""
        return subprocess.Popen(
            [str(INV), *words],
            cwd=self.root,
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # a test run in the background of a shell ignores Ctrl-C, and its children would inherit that
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # nothing else runs in it
        )

    def attempt(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a task to its end, whatever that is."""
        process = self.start(*words)
        out, err = process.communicate()
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def inv(self, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a task to its end. Anything but the expected exit status fails the test with all that was printed."""
        done = self.attempt(*words)
        assert done.returncode == expect, (
            f"inv {' '.join(words)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        )
        return done

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a text that must be there."""
        path = self.root / file
        text = path.read_text()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new))


def docker(*words: str, check: bool = True) -> str:
    """`docker` on this machine's engine."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout.strip()


def unique(kind: str) -> str:
    """A name that no other test run has, and that the sweep below recognizes."""
    return f"wltest-{kind}-{secrets.token_hex(3)}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def copy_of_this_checkout(folder: Path) -> Path:
    """The files that git knows or would know, as a fresh clone has them, with a commit of their own."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        source = ROOT / name
        if name and source.exists():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    commit(folder, "As it is")
    return folder


def commit(folder: Path, subject: str) -> None:
    git = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.com"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "--allow-empty", "-m", subject]):
        subprocess.run([*git, *words], cwd=folder, check=True)


@contextmanager
def swept(name: str) -> Iterator[None]:
    """Whatever the block leaves on this machine's engine under a name is gone afterwards, its images too."""
    try:
        yield
    finally:
        containers = docker("ps", "--all", "--quiet", "--filter", f"name={name}").split()
        if containers:
            docker("rm", "--force", "--volumes", *containers)
        for kind in ("volume", "network"):
            found = docker(kind, "ls", "--quiet", "--filter", f"name={name}").split()
            if found:
                docker(kind, "rm", *found, check=False)
        images = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
        mine = [image for image in images if re.match(rf"{re.escape(name)}[/-]", image)]
        if mine:
            docker("image", "rm", *mine, check=False)


def eventually(what: Callable[[], T], seconds: float = 30) -> T:
    """The first true answer; a failed command, and an error of the network or of a half-made answer, count as none."""
    until = time.monotonic() + seconds
    while True:
        why: Exception | None = None
        try:
            if found := what():
                return found
        except (AssertionError, OSError, HTTPException, ValueError, LookupError) as error:
            why = error
        if time.monotonic() > until:
            raise AssertionError(f"it did not come true within {seconds:g} s") from why
        time.sleep(0.1)
