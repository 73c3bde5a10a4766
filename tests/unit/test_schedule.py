"""Schedules: when they come, what starts them, what their journal tells, and what a host is to be warned of."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from deploy.engine.files import read_plain_env_file
from deploy.model.checks import check_proof, check_schedule
from deploy.model.errors import DeployError, UsageError
from deploy.model.plan import Action, Plan, Wanted, make_plan
from deploy.model.schedule import (
    DrillEvery,
    Run,
    Schedule,
    drill_is_due,
    has_block,
    parse_runs,
    parse_times,
    run_problems,
    service_unit,
    timer_unit,
    with_block,
    without_block,
)
from deploy.model.scheduled import (
    Installed,
    State,
    Timer,
    definition_of,
    files_of,
    keeper_settings,
    parse_state,
    state_document,
    state_lines,
    state_problems,
    timer_for,
)
from deploy.model.settings import Environment, parse_settings
from deploy.model.usage import Newest
from tests.unit.examples import LAYOUT, NOW, facts, record
from tests.unit.test_records import MANIFEST

SUNDAY = datetime(2026, 11, 29, 2, 24, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "cron", "calendar", "following"),
    [  # the calendars and what follows are what systemd-analyze 257 says of them
        ("03:15", "15 3 * * *", "*-*-* 03:15:00", "2026-11-29 03:15"),
        ("* * * * *", "* * * * *", "*-*-* *:*:00", "2026-11-29 02:25"),
        ("*/20 * * * *", "0,20,40 * * * *", "*-*-* *:00,20,40:00", "2026-11-29 02:40"),
        ("15 3 * * 1-5", "15 3 * * 1,2,3,4,5", "Mon,Tue,Wed,Thu,Fri *-*-* 03:15:00", "2026-11-30 03:15"),
        ("0 5 * * Sun", "0 5 * * 0", "Sun *-*-* 05:00:00", "2026-11-29 05:00"),
        ("0 5 * * 7", "0 5 * * 0", "Sun *-*-* 05:00:00", "2026-11-29 05:00"),
        ("0 0 29 2 *", "0 0 29 2 *", "*-02-29 00:00:00", "2028-02-29 00:00"),
        ("30 */6 1,15 * *", "30 0,6,12,18 1,15 * *", "*-*-01,15 00,06,12,18:30:00", "2026-12-01 00:30"),
        ("0 12 * jan-mar 1", "0 12 * 1,2,3 1", "Mon *-01,02,03-* 12:00:00", "2027-01-04 12:00"),
        ("5-50/15 2,4 * * 0", "5,20,35,50 2,4 * * 0", "Sun *-*-* 02,04:05,20,35,50:00", "2026-11-29 02:35"),
        ("0 0 1-31 * 0-7", "0 0 * * *", "*-*-* 00:00:00", "2026-11-30 00:00"),
        ("7/30 3 * * *", "7,37 3 * * *", "*-*-* 03:07,37:00", "2026-11-29 03:07"),
    ],
)
def test_a_time_is_the_same_for_cron_for_systemd_and_for_us(
    text: str, cron: str, calendar: str, following: str
) -> None:
    times = parse_times(text, "at")

    assert (times.cron, times.calendar) == (cron, calendar)
    assert f"{times.after(SUNDAY):%Y-%m-%d %H:%M}" == following
    assert times.before(times.after(SUNDAY)) == times.after(SUNDAY), "a time is the last one up to itself"
    assert times.before(SUNDAY) < SUNDAY < times.after(SUNDAY)
    assert parse_times(cron, "at").calendar == calendar


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no time that comes again"),
        ("@daily", "'@daily' is no time that comes again"),
        ("24:00", "'24:00' is no time that comes again"),
        ("0 3 * *", "is no time that comes again"),
        ("60 3 * * *", "'60' is no minute"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 3 0 * *", "'0' is no day of the month"),
        ("0 3 * 13 *", "'13' is no month"),
        ("0 3 * * 8", "'8' is no day of the week"),
        ("0 3 * * sunday", "'sunday' is no day of the week"),
        ("30-10 3 * * *", "'30-10' is no minute"),
        ("*/0 3 * * *", "'*/0' is no minute"),
        ("0,, 3 * * *", "'' is no minute"),
        ("0;reboot 3 * * *", "'0;reboot' is no minute"),
        ("0 3 31 2 *", "never comes"),
        ("0 3 13 * fri", "has days of the month and of the week"),
        ("0 3 * * *\n* * * * *", "is no time that comes again"),
    ],
)
def test_a_time_that_cannot_be_is_named(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_times(text, "--at")
    assert caught.value.message.startswith("--at: ")
    assert message in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("every", "proved", "due"),
    [
        (DrillEvery.RUN, NOW, True),
        (DrillEvery.NEVER, None, False),
        (DrillEvery.DAY, None, True),
        (DrillEvery.DAY, NOW - timedelta(hours=11), False),
        (DrillEvery.DAY, NOW - timedelta(hours=13), True),
        (DrillEvery.WEEK, NOW - timedelta(days=5), False),
        (DrillEvery.WEEK, NOW - timedelta(days=6), True),
        (DrillEvery.MONTH, NOW - timedelta(days=20), False),
        (DrillEvery.MONTH, NOW - timedelta(days=21), True),
    ],
)
def test_a_drill_is_due_once_in_each_period(every: DrillEvery, proved: datetime | None, due: bool) -> None:
    """NOW is noon of Saturday, the 21st."""
    assert drill_is_due(every, proved, NOW) is due


OTHERS = "MAILTO=ops@example.com\n\n# mine\n7 4 * * * /bin/mine\n"


@pytest.mark.parametrize("before", ["", OTHERS, OTHERS.rstrip("\n"), f"{OTHERS}\n\n"])
def test_a_crontab_keeps_every_other_line(before: str) -> None:
    times = parse_times("15 3 * * *", "at")
    once = with_block(before, "shop", times, "/opt/shop/schedule/run")

    assert once.startswith(before)
    assert "15 3 * * * /opt/shop/schedule/run\n" in once
    assert with_block(once, "shop", times, "/opt/shop/schedule/run") == once
    other = with_block(once, "shop-staging", times, "/opt/shop-staging/schedule/run")
    assert has_block(other, "shop")
    assert without_block(without_block(other, "shop-staging"), "shop").rstrip("\n") == before.rstrip("\n")


def test_a_changed_entry_takes_the_place_of_the_one_before() -> None:
    before = with_block(OTHERS, "shop", parse_times("03:15", "at"), "/opt/shop/schedule/run")
    after = with_block(f"{before}9 9 * * * /bin/later\n", "shop", parse_times("04:30", "at"), "/opt/shop/schedule/run")

    assert "15 3" not in after
    assert after.count("schedule/run") == 1
    assert "9 9 * * * /bin/later\n" in after


def test_a_mark_without_its_end_takes_no_line_but_ours() -> None:
    block = with_block("", "shop", parse_times("03:15", "at"), "/opt/shop/schedule/run").splitlines(keepends=True)

    assert without_block(f"{block[0]}{block[1]}{OTHERS}", "shop") == OTHERS
    assert without_block(f"{OTHERS}{block[0]}", "shop") == OTHERS


def test_a_program_with_an_odd_path_is_one_word_for_cron_and_for_systemd() -> None:
    odd = "/opt/my $hop 100%/schedule/run"

    assert r"'/opt/my $hop 100\%/schedule/run'" in with_block("", "shop", parse_times("03:15", "at"), odd)
    assert 'ExecStart="/opt/my $hop 100%%/schedule/run"\n' in service_unit("shop", "deploy", odd)


def test_the_units_start_a_run_as_the_user_that_deploys_and_make_up_for_a_missed_one() -> None:
    """That systemd takes them was tried with systemd-analyze verify."""
    service = service_unit("shop", "deploy", "/opt/shop/schedule/run")
    timer = timer_unit("shop", parse_times("15 3 * * 1", "at"))

    assert 'Type=oneshot\nUser=deploy\nExecStart="/opt/shop/schedule/run"\n' in service
    assert "OnCalendar=Mon *-*-* 03:15:00\nPersistent=true\n" in timer
    assert "WantedBy=timers.target" in timer


def line(run: str, event: str, at: str = "2026-11-21T03:15:00+00:00", **more: Any) -> str:
    return json.dumps({"run": run, "event": event, "at": at, "ok": True, "message": "", "text": ""} | more) + "\n"


def test_a_journal_is_read_whatever_was_cut_or_is_of_a_later_version() -> None:
    steps = [{"what": "backup", "ok": False, "duration_s": 2, "message": "db is down", "later": 1}]
    text = (
        line("1", "began")
        + line("1", "ended", "2026-11-21T03:16:00Z", ok=False, message="backup: db is down", steps=steps)
        + line("1", "told", ok=False, message="the webhook ended with status 22, HTTP 404")
        + line("2", "skipped", ok=False, message="the run before goes on still")
        + "[]\n7\nnonsense\n"
        + line("3", "of a later version")
        + line("4", "began")
        + '{"run": "4", "ev'
    )
    first, last = parse_runs(text)

    assert (first.ok, first.message, first.steps[0].message) == (False, "backup: db is down", "db is down")
    assert first.ended_at == datetime(2026, 11, 21, 3, 16, tzinfo=UTC)
    assert first.untold == "the webhook ended with status 22, HTTP 404"
    assert (last.id, last.ended_at) == ("4", None)


GOOD = Run("1", NOW - timedelta(hours=9), NOW - timedelta(hours=8), ok=True, message="shop_1, 3 rows")
BAD = dataclasses.replace(GOOD, id="2", ok=False, message="backup: db is down")


def test_a_failed_run_is_a_problem_until_a_good_one() -> None:
    assert run_problems([GOOD, BAD], going=False) == (
        "the scheduled run of 2026-11-21 03:00 failed: backup: db is down",
    )
    assert run_problems([BAD, GOOD], going=False) == ()
    assert run_problems([], going=False) == ()
    begun = dataclasses.replace(GOOD, id="3", ended_at=None)
    assert run_problems([GOOD, begun], going=True) == ()
    assert len(run_problems([BAD, begun], going=True)) == 1, "a run that goes on clears nothing"
    assert "never ended" in run_problems([GOOD, begun], going=False)[0]
    untold = dataclasses.replace(BAD, untold="the command ended with status 1")
    assert "did not arrive: the command ended with status 1" in run_problems([untold], going=False)[1]


def environment(**settings: Any) -> Environment:
    document = {"project": "shop", "environments": {"prod": settings}}
    return parse_settings(document, folder="shop").environment("prod")


INSTALLED = Installed(
    environment="prod",
    at="03:15",
    drill=DrillEvery.WEEK,
    limit_h=6,
    timer=Timer.CRON,
    keeper="shop-keeper:1",
    definition="d1",
    installed_at=NOW - timedelta(days=9),
    by="ada@laptop",
)
STATE = State(
    now=NOW,
    user="deploy",
    installed=INSTALLED,
    runs=(GOOD,),
    going=False,
    started=True,
    keeper_there=True,
    systemd=False,
    cron=True,
    cron_runs=True,
    curl=True,
    socket="unix:///var/run/docker.sock",
)


def problems(state: State, **settings: Any) -> str:
    return "\n".join(state_problems(state, environment(**settings)))


def test_a_schedule_that_runs_is_no_problem() -> None:
    assert problems(STATE) == problems(STATE, schedule="03:15") == ""
    shown = "\n".join(state_lines(STATE))
    assert "'03:15' by cron, drill weekly; next run 2026-11-22 03:15 +0000" in shown
    assert "last run: 2026-11-21 03:00, was good after 3600 s: shop_1, 3 rows" in shown


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"started": False}, "no longer started by cron"),
        ({"cron_runs": False}, "cron does not run"),
        ({"keeper_there": False}, "the keeper's image shop-keeper:1 is gone"),
        ({"runs": (BAD,)}, "failed: backup: db is down"),
        ({"runs": ()}, "the run that was due at 2026-11-21 03:15 has not begun"),
        ({"now": NOW + timedelta(days=1)}, "the run that was due at 2026-11-22 03:15 has not begun"),
    ],
)
def test_a_schedule_that_does_not_run_is_a_problem(changes: dict[str, Any], message: str) -> None:
    assert message in problems(dataclasses.replace(STATE, **changes))


def test_a_run_that_was_not_yet_due_is_not_missed() -> None:
    fresh = dataclasses.replace(INSTALLED, installed_at=NOW - timedelta(hours=1))
    assert problems(dataclasses.replace(STATE, installed=fresh, runs=())) == ""
    at_work = dataclasses.replace(GOOD, began_at=NOW - timedelta(days=2), ended_at=None)
    assert problems(dataclasses.replace(STATE, runs=(at_work,), going=True)) == ""
    late = datetime(2026, 11, 22, 3, 29, tzinfo=UTC)
    assert problems(dataclasses.replace(STATE, now=late)) == "", "it may be a quarter of an hour late"


def test_a_schedule_is_only_missed_where_one_is_wanted() -> None:
    none = dataclasses.replace(STATE, installed=None, runs=())

    assert problems(none) == ""
    assert "no schedule is installed" in problems(none, schedule="03:15")
    assert state_document(none) is None
    assert list(state_lines(none)) == []


def test_the_next_run_is_told_in_the_hosts_own_time() -> None:
    west = dataclasses.replace(STATE, now=NOW.astimezone(timezone(timedelta(hours=-5))))
    document = state_document(west)

    assert document
    assert document["next_at"] == "2026-11-22T03:15:00-05:00"
    json.dumps(document)


LOOKED = """
@@host
now=1795262400
timezone=-0330
user=deploy
started=yes
cron=yes
curl=yes
socket=unix:///var/run/docker.sock
keeper=yes

@@schedule
{schedule}

@@runs
{runs}

@@end
"""


def test_a_state_is_what_the_host_printed() -> None:
    runs = line("1", "began") + line("1", "ended", message="shop_1")
    state = parse_state(LOOKED.format(schedule=INSTALLED.to_json(), runs=runs), "app1")

    assert state.now == NOW
    assert state.now.utcoffset() == -timedelta(hours=3, minutes=30)
    assert state.installed == INSTALLED
    assert [run.message for run in state.runs] == ["shop_1"]
    assert (state.started, state.systemd, state.cron, state.cron_runs, state.curl) == (True, False, True, False, True)
    with pytest.raises(DeployError, match="app1"):
        parse_state("\n@@host\nnow=1\n", "app1")


@pytest.mark.parametrize("note", ["", "{}", "nonsense", '{"at": "03:15"}', INSTALLED.to_json().replace("cron", "at")])
def test_a_note_that_cannot_be_read_is_no_schedule(note: str) -> None:
    assert parse_state(LOOKED.format(schedule=note, runs=""), "app1").installed is None


def test_what_can_start_a_schedule() -> None:
    assert timer_for(STATE, "app1") == Timer.CRON
    assert timer_for(dataclasses.replace(STATE, systemd=True), "app1") == Timer.SYSTEMD
    with pytest.raises(UsageError, match="app1 has nothing that starts a schedule"):
        timer_for(dataclasses.replace(STATE, cron=False), "app1")


NOTIFY = {"webhook": "https://hooks.example.com/T0/s3cret", "command": "mail -s 'backups' ops", "recovery": True}


def test_secrets_of_notifications_stand_in_files_of_their_own() -> None:
    wanted = environment(schedule={"at": "03:15", "limit_h": 2}, notify=NOTIFY, backup_keep={"daily": 3})
    files = files_of(wanted, dataclasses.replace(INSTALLED, limit_h=2), "/opt/shop", "unix:///run/docker.sock")

    assert files.pop("webhook") == 'url = "https://hooks.example.com/T0/s3cret"\n'
    assert files.pop("notify") == "mail -s 'backups' ops\n"
    assert "s3cret" not in "".join(files.values()) + repr(wanted)
    assert files["values"] == "/opt/shop\nshop-keeper:1\nshop\n/run/docker.sock\n7200\nyes\n"
    plain = files_of(environment(schedule="03:15"), INSTALLED, "/opt/shop", "unix:///run/docker.sock")
    assert {*plain} == {"values", "settings.json", "schedule.json"}


def test_the_keeper_has_the_settings_that_its_tasks_heed() -> None:
    wanted = environment(path="/srv/shop", hosts=["a@b"], backup_keep={"daily": 3}, mask={"t": {"c": "NULL"}})
    read = parse_settings(keeper_settings(wanted), folder="schedule").environment("prod")

    assert (read.project, str(read.path), read.hosts) == ("shop", "/srv/shop", ("here",))
    assert read.backup_keep == wanted.backup_keep
    assert read.backup_keep.daily == 3


def test_the_keeper_encrypts_and_copies_off_site_as_everybody_does(tmp_path: Path) -> None:
    public, repository = "age1" + "q" * 58, "sftp:backup@nas:/srv/shop"
    wanted = environment(
        schedule={"at": "03:15", "drill": "never"},
        encryption={"recipients": [public], "identity": "~/key"},
        offsite={"repository": repository, "env_file": ".env.offsite", "keep": {"daily": 3}},
    )
    secrets = {"RESTIC_PASSWORD": "it's $a \\ #word\" ", "AWS_ACCESS_KEY_ID": ""}
    files = files_of(wanted, INSTALLED, "/opt/shop", "unix:///run/docker.sock", secrets)
    read = parse_settings(keeper_settings(wanted), folder="schedule").environment("prod")

    assert (read.encryption.recipients, read.encryption.identity) == ((public,), "")
    assert read.offsite
    assert wanted.offsite
    assert dataclasses.replace(read.offsite, env_file=".env.offsite") == wanted.offsite
    (tmp_path / read.offsite.env_file).write_text(files[read.offsite.env_file])
    assert read_plain_env_file(tmp_path / read.offsite.env_file) == secrets
    assert files["mounts"] == "@keys\n"
    assert "word" not in "".join(text for name, text in files.items() if name != read.offsite.env_file)


def test_a_host_is_not_asked_to_prove_what_it_cannot_read() -> None:
    encryption = {"recipients": ["age1" + "q" * 58]}
    with pytest.raises(UsageError, match="a host has no key for encrypted backups"):
        environment(schedule="03:15", encryption=encryption)
    assert environment(schedule={"at": "03:15", "drill": "never"}, encryption=encryption).schedule


def test_whatever_the_host_has_to_be_told_again_is_another_definition() -> None:
    base: dict[str, Any] = {"schedule": {"at": "03:15"}}

    def definition(keeper: str = "shop-keeper:1", **settings: Any) -> str:
        one = environment(**base | settings)
        assert one.schedule
        return definition_of(one, one.schedule, keeper)

    same = {definition(), definition(schedule="15 3 * * *"), definition(keep=9), definition(hosts=["a@b"])}
    others = {
        definition("shop-keeper:2"),
        definition(schedule={"at": "03:16"}),
        definition(schedule={"at": "03:15", "drill": "weekly"}),
        definition(schedule={"at": "03:15", "limit_h": 1}),
        definition(notify={"command": "true"}),
        definition(notify={"webhook": "https://x.example.com"}),
        definition(backup_keep={"daily": 1}),
        definition(path="/srv/shop"),
    }
    assert len(same) == 1
    assert len(same | others) == 9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"schedule": ["03:15"]}, "deploy.environments.prod.schedule is neither a time nor a mapping"),
        ({"schedule": {"when": "03:15"}}, "deploy.environments.prod.schedule.when: unknown key"),
        ({"schedule": {}}, "deploy.environments.prod.schedule.at is not a text"),
        ({"schedule": 795}, "deploy.environments.prod.schedule.at is not a text"),
        ({"schedule": "never"}, "deploy.environments.prod.schedule.at: 'never' is no time"),
        ({"schedule": {"at": "03:15", "drill": "dayly"}}, "schedule.drill: 'dayly': unknown"),
        ({"schedule": {"at": "03:15", "limit_h": 0}}, "schedule.limit_h is not a number"),
        ({"notify": "mail"}, "deploy.environments.prod.notify is not a mapping"),
        ({"notify": {"email": "x"}}, "deploy.environments.prod.notify.email: unknown key"),
        ({"notify": {"webhook": "hooks.example.com/s3cret"}}, "deploy.environments.prod.notify.webhook is no address"),
        ({"notify": {"webhook": 'https://x/"\noutput = "/etc/passwd'}}, "notify.webhook is no address"),
        ({"notify": {"recovery": "yes"}}, "notify.recovery is neither true nor false"),
        ({"deploy_needs_proof_h": -1}, "deploy_needs_proof_h is not a number"),
    ],
)
def test_settings_that_cannot_be_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        environment(**settings)
    assert message in caught.value.message
    assert "s3cret" not in str(caught.value)


def test_a_schedule_is_a_time_or_more() -> None:
    assert environment().schedule is environment(schedule=False).schedule is None
    assert environment(schedule="03:15").schedule == Schedule(parse_times("03:15", "at"))
    full = environment(schedule={"at": "0 5 * * 0", "drill": "monthly", "limit_h": 1.5}).schedule
    assert full == Schedule(parse_times("0 5 * * 0", "at"), DrillEvery.MONTH, 1.5)


LIVE = record()


def test_a_plan_says_when_the_host_keeps_another_schedule() -> None:
    wanted = environment(schedule="03:15")
    noted = facts(LIVE, schedule=json.loads(INSTALLED.to_json()))

    (found,) = check_schedule(facts(LIVE), wanted, "d1")
    assert "the schedule of app1 is not installed" in found.message
    assert not found.fatal
    assert list(check_schedule(noted, wanted, "d1")) == []
    (found,) = check_schedule(noted, wanted, "d2")
    assert found.remedy == "inv db.schedule --env prod --host app1"
    assert list(check_schedule(facts(), wanted, "d1")) == [], "nothing is there yet that could be backed up"
    assert list(check_schedule(noted, environment(), "d2")) == []


def plan(**changes: Any) -> Plan:
    made = make_plan(Wanted(record("20261121-130000-0000000"), frozenset(), 0, ()), facts(LIVE), LAYOUT)
    return dataclasses.replace(made, **changes)


MIGRATING = plan(migrate=("backend",), migrations={"backend": ("0002_price",)})
PROVED: Newest = {"db": dataclasses.replace(MANIFEST, started_at=NOW - timedelta(hours=30))}


@pytest.mark.parametrize(
    ("made", "proved", "message"),
    [
        (MIGRATING, {"db": None}, "db has no proved backup, and the deploy may migrate backend"),
        (MIGRATING, PROVED, "the newest proved backup of db is 30 h old, and the deploy may migrate backend"),
        (plan(migrate=("backend",), migrations={}), PROVED, "may migrate backend"),
        (plan(migrate=("backend",), migrations={"backend": ()}), PROVED, ""),
        (plan(), PROVED, ""),
        (
            plan(data=tuple(dataclasses.replace(one, action=Action.REPLACE) for one in plan().data)),
            PROVED,
            "the deploy replaces db",
        ),
    ],
)
def test_a_deploy_that_can_harm_data_wants_a_backup_that_was_proved(made: Plan, proved: Newest, message: str) -> None:
    wanted = environment(deploy_needs_proof_h=24)
    found = list(check_proof(facts(LIVE), made, proved, wanted))

    assert [one.fatal for one in found] == ([True] if message else [])
    assert message in "".join(one.message for one in found)
    assert [one.fatal for one in check_proof(facts(LIVE), made, proved, wanted, anyway=True)] == [False] * len(found)


def test_nothing_is_asked_for_where_it_is_not_wanted_or_nothing_is_kept_yet() -> None:
    assert list(check_proof(facts(LIVE), MIGRATING, {"db": None}, environment())) == []
    assert list(check_proof(facts(LIVE), MIGRATING, PROVED, environment(deploy_needs_proof_h=31))) == []
    assert list(check_proof(facts(), MIGRATING, {"db": None}, environment(deploy_needs_proof_h=24))) == []
