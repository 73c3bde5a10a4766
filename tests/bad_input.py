"""Bad input: a task is run on it inside this process, and must say what is wrong and change nothing."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from invoke.program import Program

File = str | bytes | Callable[[Path], object]
TASKS = "from deploy.tasks import namespace\n\nns = namespace(__file__)\n"
LARGE = 1 << 20


@dataclass(frozen=True)
class Bad:
    """A row of the table."""

    id: str
    files: Mapping[str, File]
    """What the project has besides `tasks.py`: texts, bytes, or what makes the file."""
    words: tuple[str, ...]
    said: str
    """A pattern for what is wrong and where."""
    remedy: str
    """A pattern for what to do next."""
    code: int = 2
    env: Mapping[str, str] = field(default_factory=dict)


def of(rows: tuple[Bad, ...]) -> pytest.MarkDecorator:
    """The rows as parameters, by their names; each must be there once."""
    names = [row.id for row in rows]
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
    return pytest.mark.parametrize("bad", [pytest.param(row, id=row.id) for row in rows])


def make(root: Path, files: Mapping[str, File]) -> None:
    root.mkdir()
    for name, content in {"tasks.py": TASKS, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


def large(path: Path) -> None:
    """A file of 200 MB that takes no room."""
    with path.open("wb") as file:
        file.truncate(200 * LARGE)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def snapshot(folder: Path) -> dict[str, tuple[str, str]]:
    """Every name in a folder, with its mode and its content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            content = str(path.readlink())
        elif stat.S_ISREG(mode) and path.stat().st_size <= LARGE:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            content = str(path.lstat().st_size) if stat.S_ISREG(mode) else ""
        found[str(path.relative_to(folder))] = (stat.filemode(mode), content)
    return found


def require_said(bad: Bad, root: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a row: all that it prints. Fails where message, status or what is left afterwards is not as it has to be."""
    make(root, bad.files)
    before = snapshot(root), snapshot(home)
    with _inside(root, bad.env):
        capsys.readouterr()
        code = _run(bad.words)
    out, err = capsys.readouterr()

    assert code == bad.code, f"{code}\n{out}\n{err}"
    assert re.search(bad.said, err), err
    assert re.search(bad.remedy, err), err
    assert "Traceback" not in err
    assert (snapshot(root), snapshot(home)) == before, "something was changed"
    return out + err


def _run(words: tuple[str, ...]) -> int:
    """The exit status of `inv WORDS`; what ends in a traceback there raises here."""
    try:
        Program(name="Invoke", binary="inv[oke]", binary_names=["invoke", "inv"]).run(["inv", *words])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@contextlib.contextmanager
def _inside(root: Path, env: Mapping[str, str]) -> Iterator[None]:
    """As in a process of its own: what a task changes of this one is as it was afterwards."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    hook, loaded, paths, folder = sys.excepthook, sys.modules.pop("tasks", None), [*sys.path], Path.cwd()
    with pytest.MonkeyPatch.context() as patch, Path(os.devnull).open() as nothing:
        for name, value in env.items():
            patch.setenv(name, value)
        for name in ("execvp", "execvpe"):
            patch.setattr(os, name, _replaced)
        patch.setattr(sys, "dont_write_bytecode", True)
        patch.setattr(sys, "stdin", nothing)
        os.chdir(root)
        try:
            yield
        finally:
            os.chdir(folder)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            sys.excepthook, sys.path[:] = hook, paths
            sys.modules.pop("tasks", None)
            if loaded:
                sys.modules["tasks"] = loaded


def _replaced(*words: object) -> None:
    raise AssertionError(f"the terminal was handed over to {words}")
