"""A scheduled run: the program that a host's timer starts, whatever becomes of the keeper, and what the keeper does.

The `docker` and `curl` of that program are small scripts here: the real ones are in tests/lab.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from invoke.exceptions import Exit

from deploy.data.repository import Stored
from deploy.model.errors import DeployError
from deploy.model.proof import Proof
from deploy.model.schedule import Run, parse_runs
from deploy.model.scheduled import files_of
from deploy.shell.packaged import script_text
from deploy.tasks import nightly
from tests.unit.test_records import MANIFEST
from tests.unit.test_schedule import INSTALLED, environment

ENDED = {"event": "ended", "at": "2026-11-21T03:16:00Z", "ok": True, "message": "shop_1", "text": "shop: shop_1"}
GOOD = f"""printf '{{"run": "%s", {json.dumps(ENDED)[1:]}\\n%s\\n' "$run" 'shop: shop_1' """
BAD = GOOD.replace("true", "false").replace("shop_1", "backup: db is down") + "; exit 1"
HOOK = {"webhook": "https://hooks.example.com/s3cret", "command": 'read -r text && printf "%s\\n" "$text" >>told'}


@dataclass
class Night:
    """A host's folder with a schedule in it."""

    root: Path
    env: dict[str, str]

    def program(self, name: str, text: str) -> None:
        file = self.root / "bin" / name
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)

    def docker(self, keeper: str) -> None:
        """What `docker run` of the keeper does; `$run` is the run's id. Every call's words are noted."""
        case = f'case $1 in run) for run in "$@"; do :; done; {keeper} ;; esac'
        self.program("docker", f'printf "%s\\n" "$*" >>"{self.root}/docker-words"\n{case}')

    def install(self, limit_s: float = 60, **settings: Any) -> None:
        wanted = environment(schedule="03:15", **settings)
        made = INSTALLED.__class__(**{**INSTALLED.__dict__, "limit_h": limit_s / 3600})
        folder = self.root / "schedule"
        folder.mkdir(exist_ok=True)
        for name, text in files_of(wanted, made, str(self.root), f"unix://{self.root}/docker.sock").items():
            (folder / name).write_text(text)
        (folder / "run").write_text(script_text("release", "schedule-run.sh"))

    def run(self) -> subprocess.CompletedProcess[str]:
        words = ["sh", str(self.root / "schedule" / "run")]
        return subprocess.run(words, env=self.env, capture_output=True, text=True, check=False, cwd="/")

    @property
    def journal(self) -> list[dict[str, Any]]:
        text = (self.root / "backups" / "runs.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    @property
    def last(self) -> Run:
        return parse_runs((self.root / "backups" / "runs.jsonl").read_text())[-1]

    @property
    def posted(self) -> list[dict[str, Any]]:
        file = self.root / "posted"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def night(tmp_path: Path) -> Night:
    for name in ("bin", "backups"):
        (tmp_path / name).mkdir()
    (tmp_path / "docker.sock").touch()
    made = Night(tmp_path, os.environ | {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"})
    made.program("curl", f'printf "%s\\n" "$*" >>"{tmp_path}/curl-words"\ncat >>"{tmp_path}/posted"\nprintf 204')
    made.docker(GOOD)
    made.install()
    return made


def test_a_good_run_is_in_the_journal_and_nobody_is_told(night: Night) -> None:
    night.install(notify=HOOK)
    done = night.run()

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [one["event"] for one in night.journal] == ["began", "ended"]
    assert (night.last.ok, night.last.message) == (True, "shop_1")
    assert night.posted == []
    assert not (night.root / "schedule" / "told").exists()
    words = (night.root / "docker-words").read_text()
    assert f"--volume {night.root}:{night.root}" in words, "paths mean the same inside"
    assert f"--user {os.getuid()}:{os.getgid()}" in words
    assert "--pull never" in words, "a name of ours that is gone must not be looked for in a registry"


@pytest.mark.parametrize("where", ["keys", "disk"])
def test_what_leads_off_the_machine_is_mounted_where_the_host_has_it(night: Night, where: str) -> None:
    keys, disk = night.root / ".ssh", night.root / "disk"
    for folder in (keys, disk):
        folder.mkdir()
    night.env["HOME"] = str(night.root)
    night.install(offsite={"repository": "sftp:nas:/srv" if where == "keys" else str(disk)})
    assert night.run().returncode == 0
    words = (night.root / "docker-words").read_text()
    assert (f"--volume {keys}:{keys}" in words) == (where == "keys")
    assert (f"--volume {disk}:{disk}" in words) == (where == "disk")
    assert f"WINDLASS_HOME={night.root}" in words


def test_a_failed_run_is_told_by_the_webhook_and_by_the_command(night: Night) -> None:
    night.install(notify=HOOK)
    night.docker(BAD)
    done = night.run()

    assert done.returncode == 1
    assert "shop: backup: db is down" in done.stderr
    assert (night.last.ok, night.last.message, night.last.untold) == (False, "backup: db is down", "")
    (posted,) = night.posted
    assert (posted["ok"], posted["text"]) == (False, "shop: backup: db is down")
    assert (night.root / "schedule" / "told").read_text() == "shop: backup: db is down\n"
    assert [one["event"] for one in night.journal] == ["began", "ended", "told", "told"]
    assert "s3cret" not in (night.root / "curl-words").read_text() + json.dumps(night.journal) + done.stderr


def test_only_who_wants_to_hears_of_the_first_good_run(night: Night) -> None:
    for recovery in (False, True):
        night.install(notify=HOOK | {"recovery": recovery})
        for keeper in (BAD, GOOD, GOOD):
            night.docker(keeper)
            night.run()

    assert [one["ok"] for one in night.posted] == [False, False, True]


@pytest.mark.parametrize(
    ("keeper", "status", "message"),
    [
        ('echo "Cannot connect to the \\"engine\\"" >&2; exit 125', 125, "status 125: Cannot connect to the 'engine'"),
        ('printf "no\\tsuch\\\\image\\n\\303\\244 gone\\n" >&2; exit 125', 125, "status 125: no such/image  gone"),
        ("exit 1", 1, "the keeper ended with status 1"),
        ("exit 0", 1, "the keeper ended with status 0"),
        ("kill -9 $$", 137, "the keeper ended with status 137"),
        (GOOD.replace('"$run"', '"of another run"'), 1, "the keeper ended with status 0"),
        (GOOD + "; exit 3", 3, "the keeper ended with status 3"),
    ],
)
def test_a_keeper_that_says_nothing_of_its_end_has_failed(night: Night, keeper: str, status: int, message: str) -> None:
    night.install(notify=HOOK)
    night.docker(keeper)
    done = night.run()

    assert done.returncode == status
    assert message in night.last.message
    assert len(night.posted) == 1
    assert night.posted[0]["project"] == "shop"


def test_a_run_that_takes_too_long_is_ended(night: Night) -> None:
    night.install(limit_s=1)
    night.docker("exec sleep 60")
    done = night.run()

    assert done.returncode == 124
    assert night.last.message == "it did not end within 1 s"
    assert "rm --force shop-keeper-run" in (night.root / "docker-words").read_text().splitlines()[-1]


def test_a_notification_that_fails_is_in_the_journal(night: Night) -> None:
    night.install(notify={**HOOK, "command": "exit 7"})
    night.docker(BAD)
    night.program("curl", "cat >/dev/null; printf 404; exit 22")
    night.run()

    told = [one for one in night.journal if one["event"] == "told"]
    assert [one["message"] for one in told] == [
        "the command ended with status 7",
        "the webhook ended with status 22, HTTP 404",
    ]
    assert night.last.untold == "the webhook ended with status 22, HTTP 404"


def test_two_runs_never_overlap(night: Night) -> None:
    with (night.root / "schedule" / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = night.run()

    assert done.returncode == 0
    assert [one["event"] for one in night.journal] == ["skipped"]
    assert not (night.root / "docker-words").exists()


def test_a_run_without_a_journal_has_failed_however_well_it_went(night: Night) -> None:
    (night.root / "backups").rmdir()
    night.install(notify=HOOK)
    done = night.run()

    assert done.returncode == 1
    assert "the journal of the runs could not be written" in done.stderr
    assert len(night.posted) == 1


def test_a_journal_does_not_grow_for_ever(night: Night) -> None:
    journal = night.root / "backups" / "runs.jsonl"
    journal.write_text('{"run":"0","event":"began","at":"2026-11-21T03:15:00Z"}\n' * 4000)
    night.run()

    assert len(night.journal) == 2000
    assert night.last.message == "shop_1"


def test_what_a_run_leaves_is_for_its_user_alone(night: Night) -> None:
    night.install(notify=HOOK)
    night.docker(BAD)
    night.run()

    left = [night.root / "backups" / "runs.jsonl", *(night.root / "schedule" / one for one in ("last.log", "result"))]
    assert [oct(one.stat().st_mode & 0o777) for one in left] == ["0o600"] * 3


class Tasks:
    """Tasks that end as they are told to; `began` are those that were."""

    def __init__(self, **errors: BaseException) -> None:
        self.began: list[str] = []
        for name in ("backup", "drill", "prune"):
            setattr(self, name, SimpleNamespace(body=self._body(name, errors.get(name))))

    def _body(self, name: str, error: BaseException | None) -> Callable[..., None]:
        def body(_: object, **options: object) -> None:
            assert (options["host"], options["env"]) == (["here"], "prod")
            self.began.append(name)
            print(f"{name} prints its result")  # noqa: T201  # as tasks do
            if isinstance(error, DeployError | KeyboardInterrupt):
                raise Exit(code=1) from error
            if error:
                raise error

        return body


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Keeper:
    def run(tasks: Tasks, drill: str = "always", proofs: tuple[Proof, ...] = ()) -> tuple[int, Run, str]:
        settings = {"deploy": {"project": "shop"}, "environment": "prod", "drill": drill}
        (tmp_path / "settings.json").write_text(json.dumps(settings))
        monkeypatch.setattr(nightly, "db", tasks)
        monkeypatch.setattr(nightly.Night, "stored", lambda _: (Stored(MANIFEST, "", proofs),))
        monkeypatch.setattr("sys.argv", ["nightly", str(tmp_path), "7"])
        status = nightly.main()
        line, text = capsys.readouterr().out.splitlines()
        (found,) = parse_runs(line)
        return status, found, text

    return run


Keeper = Callable[..., tuple[int, Run, str]]
PROVED = Proof(datetime.now(UTC), "ada@laptop", 41, tuple(part.title for part in MANIFEST.parts))


def test_a_run_backs_up_proves_and_prunes(keeper: Keeper) -> None:
    tasks = Tasks()
    status, run, text = keeper(tasks, proofs=(PROVED,))

    assert (status, run.id, run.ok, tasks.began) == (0, "7", True, ["backup", "drill", "prune"])
    assert run.message == "shop_20261121T120000Z, 100 B, 3 rows in 2 tables, 12 files in 1 folder, proved in 41 s"
    assert text.endswith(run.message)


def test_a_drill_waits_for_its_time(keeper: Keeper) -> None:
    lately, never = Tasks(), Tasks()
    keeper(lately, "monthly", (PROVED,))
    keeper(never, "monthly")

    assert (lately.began, never.began) == (["backup", "prune"], ["backup", "drill", "prune"])


def test_a_backup_that_failed_is_not_proved_and_old_ones_are_pruned(keeper: Keeper) -> None:
    tasks = Tasks(backup=DeployError("db is down", "start it"), prune=ValueError("odd"))
    status, run, text = keeper(tasks)

    assert (status, run.ok, tasks.began) == (1, False, ["backup", "prune"])
    assert run.message == "backup: db is down → start it; prune: ValueError: odd"
    assert [(one.what, one.ok) for one in run.steps] == [("backup", False), ("prune", False)]
    assert text.endswith("prune: ValueError: odd")


def test_a_run_that_is_out_of_time_begins_nothing_else(keeper: Keeper) -> None:
    tasks = Tasks(backup=KeyboardInterrupt(15))
    with pytest.raises(KeyboardInterrupt):
        keeper(tasks)
    assert tasks.began == ["backup"]
