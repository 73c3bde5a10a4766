"""What is wrong with an env file, what a release tells of its variables, and how secrets are made."""

from __future__ import annotations

import base64
import re
import uuid

import pytest

from deploy.model.envfile import (
    Example,
    Finding,
    Recovered,
    Same,
    Uses,
    check_env,
    compare,
    compare_with_live,
    documented,
    fill_example,
    generated,
    generators,
    read,
    recovered,
    restored,
    uses_of,
)
from deploy.model.errors import UsageError

EXAMPLE = Example(
    ".env.example",
    """\
SECRET_KEY=<random:50>
# for the mail
SMTP_PASSWORD=changeme
LOG_LEVEL=info
SENTRY_DSN=
# WORKERS=4
""",
)
USES = uses_of(
    {
        "services": {
            "db": {"image": "postgres:17", "environment": {"POSTGRES_PASSWORD": "${PG_PASSWORD:?}"}},
            "web": {
                "image": "shop:${TAG:-latest}",
                "environment": [
                    "DATABASE_URL=postgres://app:${PG_PASSWORD}@db/app",
                    "SECRET_KEY",
                    "LOG_LEVEL=${LOG_LEVEL:-info}",
                    "HOSTS=${HOSTS:-${DEPLOY_ADDRESS},www}",
                    "PRICE=$$${AMOUNT}",
                    "PAIR=${LEFT}-${RIGHT}",
                ],
                "ports": [{"published": "${PORT:-80}", "target": 80}],
            },
        }
    },
    "/src/.env.prod",
)


def found(text: str, example: Example | None = EXAMPLE, uses: Uses = USES, **environ: str) -> dict[str, Finding]:
    return {f"{one.kind} {one.name}": one for one in check_env(text, ".env.prod", example, uses, environ)}


def kinds(text: str, **environ: str) -> set[str]:
    return set(found(text, EXAMPLE, USES, **environ))


GOOD = "SECRET_KEY=abcdef1234\nSMTP_PASSWORD=mine9\nLOG_LEVEL=debug\nSENTRY_DSN=\nWORKERS=2\nPG_PASSWORD=zz9\n"


def test_a_good_file_has_nothing_wrong() -> None:
    assert [one for one in found(GOOD).values() if one.fatal] == []
    assert kinds(GOOD) == {"unused SMTP_PASSWORD", "unused SENTRY_DSN", "unused WORKERS", "unknown PG_PASSWORD"}


def test_what_the_example_has_and_the_file_lacks() -> None:
    findings = found("SMTP_PASSWORD=\n")

    assert {"missing SECRET_KEY", "blank SMTP_PASSWORD", "missing LOG_LEVEL"} <= set(findings)
    assert findings["missing SECRET_KEY"].remedy == "inv env.set SECRET_KEY"
    assert findings["blank SMTP_PASSWORD"].line == 1
    assert not findings["missing SENTRY_DSN"].fatal, "blank in the example: optional"
    assert "missing WORKERS" not in findings, "a comment in the example: optional"
    assert "missing SECRET_KEY" not in kinds("", SECRET_KEY="x")


def test_values_of_the_example_are_no_secrets() -> None:
    findings = found("SMTP_PASSWORD=changeme\nLOG_LEVEL=info\nSECRET_KEY=<random:50>\nAPI_TOKEN=xxxx\n")

    assert {name for name in findings if name.startswith("example")} == {
        "example SMTP_PASSWORD",
        "example SECRET_KEY",
        "example API_TOKEN",
    }


def test_a_misspelt_name_is_told_with_its_neighbour() -> None:
    finding = found(GOOD + "LOG_LEVL=debug\n")["unknown LOG_LEVL"]

    assert (finding.fatal, finding.line) == (True, 7)
    assert "inv env.unset LOG_LEVL" in finding.remedy, "LOG_LEVEL is there"
    assert found("SECRET_KYE=x\n")["unknown SECRET_KYE"].remedy == "did you mean 'SECRET_KEY'?"


def test_duplicates_and_dollars_that_mean_something() -> None:
    findings = found("SECRET_KEY=a\nPG_PASSWORD=pa$word\nSECRET_KEY=b\n")

    assert findings["duplicate SECRET_KEY"].message == "SECRET_KEY stands in line 1 too; this one counts"
    assert "refers to word, which nothing sets" in findings["unset PG_PASSWORD"].message


def test_what_is_required_is_told_once() -> None:
    findings = check_env("", ".env.prod", EXAMPLE, USES, {}, ("SECRET_KEY",), " --env stage")

    assert [(one.kind, one.remedy) for one in findings if one.name == "SECRET_KEY"] == [
        ("required", "inv env.set SECRET_KEY --env stage")
    ]


def test_no_finding_shows_a_value() -> None:
    text = "SECRET_KEY=hunter2\nSECRET_KEY=hunter2x\nSMTP_PASSWORD=changeme\nX=hunter2\nPG_PASSWORD=hunter2$hunter\n"

    assert "hunter2" not in str(list(found(text).values()))


def test_a_service_with_the_whole_file_reads_all_of_it() -> None:
    uses = uses_of({"services": {"web": {"env_file": [{"path": "/src/.env.prod"}]}}}, "/src/.env.prod")

    assert uses.whole == {"web"}
    assert "unused SMTP_PASSWORD" not in found(GOOD, EXAMPLE, uses)


def test_texts_tell_what_is_read_where_compose_cannot() -> None:
    uses = uses_of({}, "", ["web:  # $NOT\n    image: x:${TAG-${OTHER}}\n    a: $$NOT ${ALSO:?}\n# $NOT\n"])

    assert uses.names == {"TAG", "OTHER", "ALSO"}


LIVE = {
    "db": {"POSTGRES_PASSWORD": "p@ss/1"},
    "web": {
        "DATABASE_URL": "postgres://app:p@ss/1@db/app",
        "SECRET_KEY": "s",
        "LOG_LEVEL": "info",
        "HOSTS": "10.0.0.1,www",
        "PRICE": "$5",
        "PAIR": "a-b-c",
    },
}


def test_variables_are_told_by_what_containers_were_given() -> None:
    told = recovered(USES, LIVE, lookup={"DEPLOY_ADDRESS": "10.0.0.1"}.get)

    assert told["HOSTS"].default, "made of another variable"
    assert told["PG_PASSWORD"].value == "p@ss/1"
    assert told["PG_PASSWORD"].services == ("db", "web")
    assert told["SECRET_KEY"].value == "s"
    assert told["AMOUNT"].value == "5"
    assert told["LOG_LEVEL"].default
    assert "LEFT" not in told, "a-b and c, or a and b-c"
    assert "TAG" not in told
    assert "p@ss" not in repr(told)


def test_what_a_server_was_told_when_its_volume_was_new_counts_last() -> None:
    live = {"db": {"POSTGRES_PASSWORD": "old"}, "web": {"DATABASE_URL": "postgres://app:new@db/app"}}

    assert recovered(USES, live)["PG_PASSWORD"].value == "new"
    assert recovered(USES, {"db": live["db"]})["PG_PASSWORD"].value == "old"


def test_a_service_with_the_whole_file_tells_names_of_its_own() -> None:
    uses = uses_of({"services": {"web": {"env_file": ["/src/.env"], "environment": {"A": "1"}}}}, "/src/.env")

    told = recovered(uses, {"web": {"A": "1", "TOKEN": "t"}}, ["A", "TOKEN", "OTHER"])

    assert {name: one.value for name, one in told.items()} == {"TOKEN": "t"}


def test_hashes_are_equal_for_equal_values_and_new_in_every_run() -> None:
    rows = {row.name: row for row in compare({"A": "x", "B": "x", "C": "y"}, {"A": "x", "B": "z", "D": "y"})}
    again = next(iter(compare({"A": "x"}, {"A": "x"})))

    assert {name: row.same for name, row in rows.items()} == {
        "A": Same.SAME,
        "B": Same.DIFFERS,
        "C": Same.ONLY_HERE,
        "D": Same.ONLY_THERE,
    }
    assert rows["A"].here == rows["A"].there == rows["B"].here
    assert rows["C"].here == rows["D"].there
    assert again.here != rows["A"].here


def test_an_env_file_beside_a_release() -> None:
    here = {"PG_PASSWORD": "p@ss/1", "SECRET_KEY": "other", "LEFT": "a", "NOBODYS": "x"}
    rows = {
        row.name: row.same
        for row in compare_with_live(here, recovered(USES, LIVE, lookup={"DEPLOY_ADDRESS": "10.0.0.1"}.get), USES)
    }

    assert rows == {
        "PG_PASSWORD": Same.SAME,
        "SECRET_KEY": Same.DIFFERS,
        "AMOUNT": Same.ONLY_THERE,
        "LEFT": Same.NOT_SEEN,
    }


def test_an_env_file_is_made_again_over_its_example() -> None:
    found = {"SMTP_PASSWORD": Recovered("it's $x", ("web",)), "LOG_LEVEL": Recovered("info", ("web",), default=True)}

    text, changed, lost = restored(EXAMPLE.text, ".env.example", found)

    assert changed == ("SMTP_PASSWORD",)
    assert lost == ("SECRET_KEY",)
    assert read(text, {}, "")["SMTP_PASSWORD"] == "it's $x"
    assert read(text, {}, "")["SECRET_KEY"] == ""
    assert "# for the mail\n" in text


def test_secrets_are_made_as_comments_ask() -> None:
    text = (
        "A=<random:5>\n# why\n# generate: hex:41\nB=\nC=changeme # generate: fernet\nD= # generate: uuid\n"
        "# generate: password\n\nE=x\nF='x' # generate: base64:16\n# generate: 7\n# and why\nexport G=\n"
    )
    filled, names = fill_example(text)
    values = read(filled, {}, "")

    assert names == ("A", "B", "C", "D", "F", "G")
    assert re.fullmatch("[0-9a-f]{41}", values["B"])
    assert len(base64.urlsafe_b64decode(values["C"])) == 32
    assert uuid.UUID(values["D"]).version == 4
    assert values["E"] == "x", "a blank line is between"
    assert len(base64.b64decode(values["F"])) == 16
    assert len(values["G"]) == 7
    assert re.sub(r"=\S+", "=", filled.replace("'", "")).count("# generate:") == 6
    assert generators(text, "") == {
        "A": "5",
        "B": "hex:41",
        "C": "fernet",
        "D": "uuid",
        "F": "base64:16",
        "G": "7",
    }
    assert documented(text, "")["B"] == ""


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("fernt", "there is no such kind of secret"),
        ("hex:", "a length is a number from 1 to 4096"),
        ("hex:0", "a length is a number"),
        ("99999", "a length is a number"),
        ("0x10", "there is no such kind"),
    ],
)
def test_a_kind_that_is_none_is_refused_with_its_line(kind: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        fill_example(f"A=1\n# generate: {kind}\nB=\n")

    assert error.value.message.startswith(f".env.example:3: generate: {kind}: {message}")
    with pytest.raises(UsageError):
        generated(kind, "KEY")
