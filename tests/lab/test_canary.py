"""Secrets whose values nobody could miss, and every task: they are nowhere but where only their owner reads them."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.lab.conftest import RemoteHost, new_shop, public_key, raise_host
from tests.project import Project

pytestmark = pytest.mark.timeout(1200)
AT = ("--host", "sandbox")
PROD = ("--env", "prod", *AT)
COMPOSE = """\
services:
  db:
    image: postgres:17
    environment: {POSTGRES_PASSWORD: "${DB_PASSWORD:?}", POSTGRES_USER: shop}
    volumes: [pg:/var/lib/postgresql/data]
    healthcheck:
      {test: [CMD, pg_isready, -h, 127.0.0.1, -U, shop], interval: 10s, start_period: 20s, start_interval: 250ms}
  web:
    image: nginx:alpine
    ports: ["80:80"]
    environment: {API_TOKEN: "${API_TOKEN:?}", VERSION: "1"}
    secrets: [signing]
    configs: [{source: settings, target: /etc/settings.ini}]
    stop_grace_period: 2s
    healthcheck: {test: [CMD-SHELL, "true"], interval: 10s, start_period: 20s, start_interval: 250ms, retries: 1}
    x-deploy: {pending: "false", migrate: "true"}
volumes: {pg: }
secrets:
  signing: {environment: SIGNING_KEY}
configs:
  settings: {content: "key = ${CONFIG_KEY}"}
"""
ENV = ("DB_PASSWORD", "API_TOKEN", "SIGNING_KEY", "CONFIG_KEY", "NOT_USED_SECRET")
OWN = (".env.prod", ".env.offsite", "key")
"""Where the user has written them."""
SOURCE = "invoke.yaml"  # holds the webhook's address: it is the user's own to close


@dataclass
class Story:
    """What was seen while every task ran."""

    project: Project
    host: RemoteHost
    canaries: Mapping[str, str]
    tmp: Path
    home: Path
    argv: dict[str, str] = field(default_factory=dict)
    """Canary to the command line it was seen in."""
    seen: set[str] = field(default_factory=set)
    """First words of command lines, to know that the sampler saw what it has to."""
    strange: list[str] = field(default_factory=list)
    """Tasks that ended otherwise than they have to: what they print would not be what is looked for."""
    said: dict[str, str] = field(default_factory=dict)
    """Task to all that it printed."""

    def inv(self, *words: str, expect: int = 0) -> str:
        done = self.project.attempt(*words)
        said = done.stdout + done.stderr
        self.said[" ".join(words)] = said
        if done.returncode != expect:
            self.strange.append(f"inv {' '.join(words)} ended with {done.returncode}:\n{said[-1500:]}")
        return said

    def found_in(self, text: str) -> list[str]:
        return [name for name, value in self.canaries.items() if value in text]

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Every process of this machine is looked at, again and again: those of the host are among them."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.02):
                for folder in os.scandir("/proc"):
                    if folder.name.isdecimal():
                        with contextlib.suppress(OSError):
                            self._look(Path(folder.path, "cmdline").read_bytes().decode(errors="replace"))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()

    def _look(self, line: str) -> None:
        self.seen.add(line.partition("\0")[0].rpartition("/")[2])
        for name in self.found_in(line):
            self.argv.setdefault(name, line.replace("\0", " ")[:400])


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """All that a person does with a project, what goes wrong included."""
    folder = tmp_path_factory.mktemp("canary")
    with new_shop(folder, "canary") as project:
        canaries = {name: f"canary-{secrets.token_hex(12)}" for name in (*ENV, "RESTIC_PASSWORD", "webhook")}
        _write(project, canaries)
        key = (project.root / "key").read_text()
        canaries["identity"] = key.splitlines()[4]  # the one with the seed: what is before it is public
        tmp, home = folder / "tmp", folder / "home"
        for path in (tmp, home):
            path.mkdir()
        project.env |= {"TMPDIR": str(tmp), "HOME": str(home)}
        story = Story(project, raise_host(project), canaries, tmp, home)
        with story.watched():
            _tell(story)
        yield story


def _write(project: Project, canaries: Mapping[str, str]) -> None:
    root = project.root
    shutil.rmtree(root / "app")
    (root / "compose.yaml").write_text(COMPOSE)
    (root / ".gitignore").write_text(".env*\nkey*\ninvoke.yaml\nbackups\n")
    for name, values in ((".env.prod", ENV), (".env.offsite", ("RESTIC_PASSWORD",))):
        (root / name).write_text("".join(f"{value}={canaries[value]}\n" for value in values))
        (root / name).chmod(0o600)
    public = public_key(root / "key")
    prod = {
        "encryption": {"recipients": [public], "identity": str(root / "key")},
        "offsite": {"repository": "/home/deploy/offsite"},
        "schedule": {"at": "03:15", "drill": "never"},
        "notify": {"webhook": f"http://127.0.0.1:9/{canaries['webhook']}"},
    }
    (root / "invoke.yaml").write_text(json.dumps({"deploy": {"environments": {"prod": prod}}}))


def _tell(story: Story) -> None:
    project, inv = story.project, story.inv
    inv("stack.inspect", "--env", "prod")
    inv("stack.graph")
    inv("prod.plan", *AT)
    inv("--echo", "prod.deploy", *AT, "--yes")
    project.edit(".env.prod", story.canaries["NOT_USED_SECRET"], story.canaries["NOT_USED_SECRET"] + "x")
    project.edit("compose.yaml", 'VERSION: "1"', 'VERSION: "2", MORE: "${NOT_USED_SECRET}"')
    inv("prod.plan", *AT, "--json")
    inv("--debug", "prod.deploy", *AT, "--yes")
    for words in (
        ("prod.logs", *AT),
        ("prod.logs", *AT, "--service", "edge"),
        ("prod.releases", *AT, "--steps"),
        ("prod.drift", *AT),
        ("prod.exec", "web", "true", *AT),
        ("prod.maintenance", "on", *AT),
        ("prod.maintenance", "off", *AT),
        ("prod.lock", "--message", "a while", *AT),
        ("prod.unlock", *AT),
        ("db.backup", *PROD),
        ("db.backups", *PROD, "--offsite"),
        ("db.drill", *PROD, "--offsite"),
        ("db.check", *PROD),
        ("db.restore", "latest", *PROD, "--yes"),
        ("db.upload", *PROD),
        ("db.fetch", *PROD),
        ("db.schedule", *AT, "--yes"),
        ("db.schedule", *AT, "--now"),
        ("prod.status", *AT, "--json"),
        ("db.prune", *PROD, "--yes"),
        ("prod.rollback", *AT, "--yes"),
        ("--echo", "--debug", "prod.plan", *AT),
    ):
        inv(*words)
    _fail(story)


def _fail(story: Story) -> None:
    """What prints errors."""
    root, inv = story.project.root, story.inv
    good = (root / "compose.yaml").read_text()
    for old, new, code in (
        ('migrate: "true"', 'migrate: "false"', 1),
        ('"true"], interval: 10s, start_period: 20s', '"exit 1"], interval: 1s, start_period: 0s', 1),
        ("stop_grace_period: 2s", "stop_grace_period: '${API_TOKEN}'", 2),
        ('["80:80"]', '["${API_TOKEN}:80"]', 2),
    ):
        assert old in good
        (root / "compose.yaml").write_text(good.replace(old, new))
        inv("--echo", "prod.deploy", *AT, "--yes", expect=code)
    (root / "compose.yaml").write_text(good)
    variables = (root / ".env.prod").read_text()
    (root / ".env.prod").write_text(variables.replace("API_TOKEN=", "API_TOKEN='"))
    inv("prod.plan", *AT, expect=2)
    (root / ".env.prod").write_text(variables)
    story.host.stop_engine()
    for words in (("prod.deploy", *AT, "--yes"), ("db.backup", *PROD)):
        done = story.project.attempt(*words)
        story.said[f"{' '.join(words)} without an engine"] = done.stdout + done.stderr
        assert done.returncode, words
    story.host.start_engine()


def test_every_task_ended_as_it_has_to(story: Story) -> None:
    assert not story.strange, "\n\n".join(story.strange)


def test_no_command_line_of_either_machine_has_a_secret(story: Story) -> None:
    seen = {word.partition(":")[0] for word in story.seen}
    assert {"docker", "dockerd", "postgres"} <= seen
    assert {"sshd", "sshd-session"} & seen, sorted(seen)
    assert story.argv == {}


def test_nothing_that_is_printed_has_a_secret(story: Story) -> None:
    leaks = {words: found for words, text in story.said.items() if (found := story.found_in(text))}
    assert leaks == {}
    assert {w: text for w, text in story.said.items() if "Traceback" in text and "--debug" not in w} == {}


def test_no_file_of_the_laptop_has_one_that_the_user_has_not_written(story: Story) -> None:
    for folder in (story.project.root, story.tmp, story.home):
        for path in folder.rglob("*"):
            if not path.is_file() or path.name == SOURCE:
                continue
            found = story.found_in(path.read_bytes().decode(errors="replace"))
            relative = path.relative_to(folder).as_posix()
            assert not found or relative in OWN, f"{path} has {found}"
            assert not found or stat.S_IMODE(path.stat().st_mode) == 0o600, f"{path} is open to others"


def test_no_file_of_the_host_that_others_may_read_has_one(story: Story) -> None:
    """Asked as another user of the host is: by its modes alone something may look closed that is not."""
    host = story.host
    host.sh("mkdir -p -m 0700 /run/canary")
    patterns = "\n".join(story.canaries.values()) + "\n"
    subprocess.run(
        ["docker", "exec", "-i", host.container, "sh", "-c", "cat >/run/canary/patterns"],
        input=patterns.encode(),
        check=True,
    )
    tops = "/opt /home /tmp /var/tmp /var/log /var/spool /etc /run /root /srv"
    search = f"find {tops} -xdev -type f ! -path '/run/canary/*' -print0 2>/dev/null | xargs -0 -r grep -laF -f "

    def holding(user: str) -> set[str]:
        """Files that a user of the host finds canaries in; the patterns come by a file, not by a command line."""
        host.sh(f"install -o {user} -m 0400 /run/canary/patterns /run/patterns")
        who = f"setpriv --reuid={user} --regid={user} --clear-groups"
        found = host.run(*who.split(), "sh", "-c", f"{search} /run/patterns 2>/dev/null || true")
        host.sh("rm /run/patterns")
        return {*found.splitlines()} - {"/run/patterns"}

    anybody, root = holding("65534"), holding("0")
    assert anybody == set()
    assert root, "the release's own documents have them"
    modes = host.run("stat", "--format", "%a %U %n", *sorted(root)).splitlines()
    strange = [line for line in modes if not line.startswith(("600 deploy ", "400 deploy "))]
    # a secret's file is for whoever the container runs as; the folders above it are closed
    assert [line for line in strange if "/values/" not in line] == []


def test_the_journal_and_the_records_have_none(story: Story) -> None:
    text = story.host.sh(f"cat /opt/{story.project.name}/*.jsonl /opt/{story.project.name}/backups/*.jsonl")
    assert text
    assert story.found_in(text) == []
    until = time.monotonic() + 60
    while not story.host.engine_answers() and time.monotonic() < until:
        time.sleep(0.2)
