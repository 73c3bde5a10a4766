"""What a plan shows of a change, and what it never shows."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest

from deploy.model.kinds import Kind
from deploy.model.plan import Action, Definitions, FileText, Masking, Plan, ServicePlan, Wanted, make_plan, with_details
from deploy.ui.plans import plan_lines
from tests.unit.examples import LAYOUT, facts, record

SERVICE: dict[str, Any] = {
    "image": "shop/web:1",
    "command": ["serve", "--threads", "4"],
    "environment": {"GREETING": "hello", "SECRET_KEY": "k9!x", "OLD": "1"},
    "healthcheck": {"test": ["CMD", "true"], "interval": "1s"},
    "volumes": [{"type": "bind", "source": "./files/web.conf", "target": "/etc/web.conf"}],
    "networks": {"default": None},
}
DOCUMENT: dict[str, Any] = {"name": "x", "services": {"web": SERVICE}, "networks": {"default": {"driver": "bridge"}}}


def explained(
    change: Any = None, *, reasons: tuple[str, ...] = (), env_file: dict[str, str] | None = None, **sides: Any
) -> ServicePlan:
    """The plan of a service whose document `change` has worked on."""
    fresh = copy.deepcopy(DOCUMENT)
    if change:
        change(fresh["services"]["web"], fresh)
    before = Definitions(DOCUMENT, {}, **sides.get("before", {}))
    after = Definitions(fresh, {}, **sides.get("after", {}))
    masking = Masking.of(env_file or {}, [SERVICE["environment"], fresh["services"]["web"]["environment"]])
    empty = make_plan(Wanted(record(), frozenset(), 0, ()), facts(), LAYOUT)
    web = ServicePlan("web", Kind.WEB, Action.REPLACE, reasons)
    return with_details(dataclasses.replace(empty, services=(web,)), before, after, masking).services[0]


def told(change: Any, **more: Any) -> list[str]:
    return [str(one) for one in explained(change, **more).changes]


def test_values_are_told_by_their_path() -> None:
    def change(web: dict[str, Any], document: dict[str, Any]) -> None:
        web["healthcheck"]["interval"] = "5s"
        web["command"] = ["serve", "--threads", "8"]
        web["read_only"] = True
        web["volumes"][0]["target"] = "/etc/other.conf"
        document["networks"]["default"]["driver"] = "overlay"
        del web["healthcheck"]["test"]

    assert told(change) == [
        "command: [serve, --threads, 4] → [serve, --threads, 8]",
        "healthcheck.interval: 1s → 5s",
        "healthcheck.test: removed [CMD, true]",
        "networks default.driver: bridge → overlay",
        "read_only: added true",
        "volumes[/etc/other.conf].source: added ./files/web.conf",
        "volumes[/etc/other.conf].target: added /etc/other.conf",
        "volumes[/etc/other.conf].type: added bind",
        "volumes[/etc/web.conf].source: removed ./files/web.conf",
        "volumes[/etc/web.conf].target: removed /etc/web.conf",
        "volumes[/etc/web.conf].type: removed bind",
    ]


def test_variables_are_told_by_name_only() -> None:
    def change(web: dict[str, Any], _: Any) -> None:
        web["environment"] = {"GREETING": "good morning", "SECRET_KEY": "k9!x", "NEW": "2"}

    plan = explained(change)
    assert [(one.path, bool(one.before), bool(one.after)) for one in plan.changes] == [
        ("environment.GREETING", True, True),
        ("environment.NEW", False, True),
        ("environment.OLD", True, False),
    ]
    assert "morning" not in json.dumps(dataclasses.asdict(plan))


@pytest.mark.parametrize(
    ("words", "env_file"),
    [
        (["serve", "--password=x"], {}),
        (["serve", "k9!x"], {}),
        (["serve", "hush-hush"], {"ANYTHING": "hush-hush"}),
        (["serve", "ab"], {"API_TOKEN": "ab"}),
        (["serve", "redis://:pw@cache:6379"], {}),
        (["serve", "Zm9vYmFyYmF6cXV4MTIzNDU2"], {}),
    ],
)
def test_what_is_secret_or_may_be_is_masked_on_both_sides(words: list[str], env_file: dict[str, str]) -> None:
    def change(web: dict[str, Any], _: Any) -> None:
        web["command"] = words

    assert told(change, env_file=env_file) == ["command: ••• → •••"]


def test_numbers_from_an_env_file_are_no_secrets() -> None:
    def change(web: dict[str, Any], _: Any) -> None:
        web["command"] = ["serve", "--threads", "123456"]

    assert told(change, env_file={"THREADS": "123456"})[0].endswith("→ [serve, --threads, 123456]")


def test_images_and_ports_are_told_where_they_come_from_records() -> None:
    sides = {
        "before": {"images": {"web": "nginx:1.25"}, "ports": ("web: 80:80", "other: 5432:5432")},
        "after": {"images": {"web": "build:0123"}, "ports": ("web: 8080:80",)},
    }
    assert told(None, **sides) == ["image: nginx:1.25 → built here", "ports: 80:80 → 8080:80"]


def test_files_are_shown_line_by_line_but_for_secret_ones() -> None:
    def sides(**files: tuple[str, str]) -> dict[str, Any]:
        return {
            side: {"files": {path.replace("_", "/", 1): FileText(texts[number]) for path, texts in files.items()}}
            for number, side in enumerate(("before", "after"))
        }

    files = sides(**{"conf_web.conf": ("a\nport 1\n", "a\nport 2\n"), "conf_tls.key": ("1\n", "2\n")})
    plan = explained(reasons=("file conf",), **files)
    assert {one.path: one.lines for one in plan.files} == {
        "conf/tls.key": ("differs; not shown because it may hold secrets",),
        "conf/web.conf": ("@@ -1,2 +1,2 @@", " a", "-port 1", "+port 2"),
    }

    plan = explained(reasons=("file x",), before={"files": {"x": FileText("password=1\n")}}, after={"files": {}})
    assert plan.files[0].lines == ("@@ -1 +0,0 @@", "-•••")
    plan = explained(reasons=("file x",), before={"files": {"x": FileText(None)}}, after={"files": {"x": FileText("")}})
    assert plan.files[0].lines == ("differs; not a text, or too long to show",)


def test_configs_that_stand_in_the_compose_file_are_files_too() -> None:
    def change(web: dict[str, Any], document: dict[str, Any]) -> None:
        web["configs"] = [{"source": "motd", "target": "/motd"}]
        document["configs"] = {"motd": {"content": "hello\n"}}

    assert explained(change).files[0].lines == ("@@ -0,0 +1 @@", "+hello")


def test_a_long_change_is_cut_on_the_screen_and_whole_for_scripts() -> None:
    def change(web: dict[str, Any], _: Any) -> None:
        web["labels"] = {f"label{number}": "x" for number in range(30)}
        web["environment"]["NEW"] = "1"

    web = explained(change)
    empty = make_plan(Wanted(record(), frozenset(), 0, ()), facts(), LAYOUT)
    plan: Plan = dataclasses.replace(empty, services=(web,), data=())
    lines = list(plan_lines(plan))

    assert "      environment.NEW: added" in lines
    assert "      … 19 more lines, all of them with --json" in lines
    assert len(plan.to_json()["services"][0]["changes"]) == 31
