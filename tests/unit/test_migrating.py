"""Migrating and going back, on a shell that answers as Django would. On real hosts: tests/lab/test_story.py."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError
from deploy.model.journal import Ran
from deploy.model.release import ReleaseRecord
from deploy.model.settings import parse_settings
from deploy.release.change import Change
from deploy.release.migrate import CheckMigrations, Migrate, Pending
from deploy.release.reverse import CheckReversal, ReverseMigrations
from deploy.release.site import Site
from deploy.shell import Completed, Process, Shell
from deploy.ui import Step
from tests.unit.examples import LAYOUT, facts, record

MIGRATE = "manage.py migrate"
LIST = "manage.py showmigrations --plan"
BACK = "manage.py migrate shop 0001_initial --noinput"
PENDING = "[X]  shop.0001_initial\n[ ]  shop.0002_prices\n[ ]  shop.0003_wish\n"
ANSWERS: dict[str, Any] = {LIST: PENDING, MIGRATE: "", BACK: ""}
NOTHING = PENDING.replace("[ ]", "[X]")


class Scripted(Shell):
    """Answers commands that run in a release's container: a text, or a status. Others fail."""

    name = "app1"

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.ran: list[str] = []

    def start(self, command: Command) -> Process:
        raise NotImplementedError

    def run(self, command: Command, *, check: bool = True, **_: Any) -> Completed:
        release = next(word for word in command if "/releases/" in word).split("/")[-2]
        words = Command(*command[command.index("--no-TTY") + 2 :]).shell()
        self.ran.append(f"{release[-7:]}: {words}")
        answer = self.answers.get(words, 1)
        if isinstance(answer, list):
            answer = answer.pop(0)
        status = answer if isinstance(answer, int) else 0
        if status and check:
            raise CommandError(f"{words} failed", exit_code=status, stderr="no such column")
        return Completed(command, status, "" if isinstance(answer, int) else answer, "")


def migrating(release: ReleaseRecord, **commands: str) -> ReleaseRecord:
    """A release whose backend migrates."""
    words = {name: tuple(text.split()) for name, text in ({"migrate": MIGRATE} | commands).items()}
    backend = dataclasses.replace(release.services["backend"], commands=words)
    return dataclasses.replace(release, services={**release.services, "backend": backend})


def change(shell: Shell, release: ReleaseRecord) -> Change:
    environment = parse_settings({}, folder="shop").environment("prod")
    return Change(Site(shell, LAYOUT, "shop.example.com"), environment, facts(), release)


def looked(shell: Shell, **commands: str) -> tuple[Pending, str]:
    pending, step = Pending(), Step("look")
    CheckMigrations(change(shell, migrating(record(), **commands)), ("backend",), pending).run(step)
    return pending, step.result


def test_what_is_pending_is_named() -> None:
    pending, told = looked(Scripted(ANSWERS))

    assert told == "pending: backend (shop.0002_prices, shop.0003_wish)"
    assert pending.services["backend"].before == {"shop": "0001_initial"}


def test_nothing_pending_is_nothing_to_do_whoever_says_so() -> None:
    assert looked(Scripted({LIST: NOTHING}))[1] == "none"
    assert looked(Scripted({"check": ""}), pending="check")[1] == "none"


def test_what_the_check_says_is_believed_when_it_cannot_be_listed() -> None:
    assert looked(Scripted({}), pending="check")[1] == "pending: backend"
    assert looked(Scripted({}))[1] == "pending: backend"
    assert looked(Scripted({LIST: NOTHING}), pending="check")[1] == "pending: backend"


def test_other_frameworks_may_list_what_is_pending() -> None:
    others = {"migrate": "rails db:migrate", "list_pending": "names"}
    assert looked(Scripted({"names": "20261121 AddPrices\n\n"}), **others)[1] == "pending: backend (20261121 AddPrices)"
    assert looked(Scripted({"names": ""}), **others)[1] == "none"
    assert looked(Scripted({}), **others)[1] == "pending: backend"


def migrated(given: dict[str, Any]) -> Change:
    """A change that has tried to migrate."""
    doing = change(Scripted(given), migrating(record()))
    pending = Pending()
    CheckMigrations(doing, ("backend",), pending).run(Step("look"))
    if given[MIGRATE]:
        with pytest.raises(DeployError, match="the migrations of backend failed; nothing was switched"):
            Migrate(doing, pending).run(Step("migrate"))
    else:
        Migrate(doing, pending).run(Step("migrate"))
    return doing


def test_a_command_that_was_found_and_fails_says_how_to_tell_what_is_right() -> None:
    doing = change(Scripted({**ANSWERS, MIGRATE: 1}), migrating(record()))
    pending = Pending()
    CheckMigrations(doing, ("backend",), pending).run(Step("look"))

    with pytest.raises(DeployError, match="nothing was switched") as caught:
        Migrate(doing, pending, found=("backend",)).run(Step("migrate"))

    assert "it was found, not declared" in caught.value.remedy
    assert "x-deploy: {migrate: <command>} beside services.backend" in caught.value.remedy


def test_what_was_migrated_is_kept_with_the_way_back() -> None:
    done = migrated(ANSWERS)

    assert done.migrated
    assert done.migrations == (Ran("backend", ("shop.0002_prices", "shop.0003_wish"), {"shop": "0001_initial"}),)


@pytest.mark.parametrize(
    ("after", "names"),
    [
        (PENDING, ()),
        (PENDING.replace("[ ]  shop.0002", "[X]  shop.0002"), ("shop.0002_prices",)),
        (1, ("shop.0002_prices", "shop.0003_wish")),
    ],
)
def test_of_a_migration_that_failed_only_what_ran_counts(after: str | int, names: tuple[str, ...]) -> None:
    done = migrated(ANSWERS | {LIST: [PENDING, after], MIGRATE: 1})

    assert done.migrated == bool(names)
    assert [ran.names for ran in done.migrations] == ([names] if names else [])


OLD, LIVE = record("20261121-110000-0000000"), migrating(record())
WAYS = {"backend": {"shop": "0001_initial"}}


def test_the_way_back_is_gone_with_the_newer_image_and_taken_back_by_migrating() -> None:
    scripted = Scripted(ANSWERS)
    doing = change(scripted, OLD)
    reverse = ReverseMigrations(doing, LIVE, WAYS)
    step = Step("reverse")
    reverse.run(step)

    assert scripted.ran == [f"1a2b3c4: {BACK}"]
    assert doing.reversed
    assert step.result == "backend: back to shop 0001_initial"

    reverse.undo()
    assert scripted.ran[1:] == [f"1a2b3c4: {MIGRATE}"]
    assert not doing.reversed


@pytest.mark.parametrize(
    ("planned", "message"),
    [
        (
            "Planned operations:\nshop.0002_prices\n    Raw SQL operation -> IRREVERSIBLE\n",
            "shop.0002_prices cannot be",
        ),
        (1, "backend cannot say how its migrations are reversed; nothing was changed"),
    ],
)
def test_what_cannot_be_reversed_is_refused_before_anything_is_changed(planned: str | int, message: str) -> None:
    scripted = Scripted(ANSWERS | {f"{BACK} --plan": planned})
    with pytest.raises(DeployError, match=message):
        CheckReversal(change(scripted, OLD), LIVE, WAYS).run(Step("see"))
    assert scripted.ran == [f"1a2b3c4: {BACK} --plan"]


def test_a_reversal_that_fails_says_who_still_serves() -> None:
    with pytest.raises(DeployError, match="app1: the migrations of backend could not be reversed") as caught:
        ReverseMigrations(change(Scripted({BACK: 1}), OLD), LIVE, WAYS).run(Step("reverse"))
    assert caught.value.remedy.startswith(f"{LIVE.id} still serves")
