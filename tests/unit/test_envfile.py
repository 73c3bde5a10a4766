"""Env files are read as compose reads them, and changed without harm to anything else in them."""

from __future__ import annotations

import random

import pytest

from deploy.model.envfile import decoded, evaluate, parse, quoted, read, require_name, with_value, without
from deploy.model.errors import UsageError
from deploy.model.findings import placeholders
from tests.unit.envfiles import ENVIRON, NASTY, READ, REFUSED

FILE = """\
# The application
SECRET='old one' # how to: ask
export DEBUG=1

# twice
PORT: 80
PORT: "81"
"""


@pytest.mark.parametrize(("text", "expected"), READ)
def test_a_file_is_read_as_compose_reads_it(text: str, expected: dict[str, str | None]) -> None:
    values = ENVIRON.keys() & expected.keys()  # a name of compose's own environment counts more than the file
    found = {**read(text, ENVIRON, ".env"), **{name: ENVIRON[name] for name in values}}

    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize(("text", "line", "what"), REFUSED)
def test_what_compose_refuses_is_refused_with_its_line(text: str, line: int, what: str) -> None:
    with pytest.raises(UsageError) as error:
        read(text, ENVIRON, ".env.prod")

    assert error.value.message == f".env.prod:{line}: {what}"
    assert error.value.remedy


def test_an_error_shows_nothing_of_a_value() -> None:
    for text in ("KEY=-----BEGIN\nhunter2+x=\n", "K='hunter2", "K=hunter2${", "hunter2 hunter3\n"):
        with pytest.raises(UsageError) as error:
            read(text, {}, ".env")
        assert "hunter" not in str(error.value)


def test_other_encodings_are_refused_with_their_line() -> None:
    with pytest.raises(UsageError, match=r"^\.env:2: byte 0xfc is not UTF-8"):
        decoded("A=a\nK=grün\n".encode("latin-1"), ".env")
    with pytest.raises(UsageError, match=r"^\.env:1: byte 0x.. is not UTF-8"):
        decoded("A=a\n".encode("utf-16"), ".env")


def test_variables_that_nothing_sets_are_told_with_their_line() -> None:
    found = evaluate(parse("A=a\nK=x$Ay${U:-}\nL='$Q'\nM=${U:-$V}\n", ".env"), {}, ".env")

    assert [(one.name, one.line, one.variable) for one in found.unset] == [("K", 2, "Ay"), ("M", 4, "V")]


def test_lines_and_places_of_statements() -> None:
    text = "# c\nA='x\ny'\n\nexport B = b c # d\nC\n"
    found = parse(text, ".env")

    assert [(one.name, one.line, text[one.value_start : one.value_end]) for one in found] == [
        ("A", 2, "'x\ny'"),
        ("B", 5, "b c"),
        ("C", 6, ""),
    ]
    assert "x\ny" not in repr(found)


@pytest.mark.parametrize("value", NASTY)
@pytest.mark.parametrize("like", ["", "'", '"'])
def test_a_value_that_is_written_is_read_back(value: str, like: str) -> None:
    text = f"A=1\nK={quoted(value, like)}\nB=2 # c\n"

    assert read(text, {}, ".env") == {"A": "1", "K": value, "B": "2"}
    assert read(text.replace("\n", "\r\n"), {}, ".env")["K"] == value, "in a file of Windows' lines too"


def test_any_value_that_is_written_is_read_back_wherever_it_is_put() -> None:
    chance = random.Random(20261129)  # noqa: S311  # the same values in every run
    alphabet = "ab \t\n\r'\"\\$#{}:-?+=!0,.äß\u00a0\u2003🦊"
    for _ in range(5000):
        value = "".join(chance.choices(alphabet, k=chance.randrange(12)))
        name = chance.choice(("SECRET", "DEBUG", "PORT", "NEW"))
        text = with_value(FILE, name, value, ".env")
        found = dict(read(text, {}, ".env"))
        assert found.pop(name) == value, (name, value)
        assert found == {k: v for k, v in read(FILE, {}, ".env").items() if k != name}


def test_setting_a_value_leaves_comments_order_and_quotes() -> None:
    assert with_value(FILE, "SECRET", "new", ".env") == FILE.replace("'old one'", "'new'")
    assert with_value(FILE, "DEBUG", "a b", ".env") == FILE.replace("DEBUG=1", "DEBUG='a b'")
    assert with_value(FILE, "PORT", "82", ".env") == FILE.replace('"81"', '"82"')
    assert with_value(FILE, "NEW", "a", ".env") == FILE + "NEW=a\n"
    assert with_value("A=1", "NEW", "a", ".env") == "A=1\nNEW=a\n"
    assert with_value("A=1\r\n", "NEW", "a", ".env") == "A=1\r\nNEW=a\r\n"
    assert with_value("", "NEW", "a", ".env") == "NEW=a\n"
    assert with_value("\ufeff", "NEW", "a", ".env") == "\ufeffNEW=a\n"
    assert with_value("A\nB=1\n", "A", "x", ".env") == "A=x\nB=1\n"
    assert with_value("A= # c\n", "A", "x", ".env") == "A= x\n", "compose takes the comment for the value"


def test_removing_a_variable_takes_its_lines_and_nothing_else() -> None:
    assert without(FILE, "SECRET", ".env") == FILE.replace("SECRET='old one' # how to: ask\n", "")
    assert without(FILE, "PORT", ".env") == FILE.replace('PORT: 80\nPORT: "81"\n', "")
    assert without("A='x\ny'\nB=1", "A", ".env") == "B=1"
    assert without("\ufeffA=1\nB=1", "A", ".env") == "\ufeffB=1"
    assert without("A='1' B='2'\n", "A", ".env") == " B='2'\n"
    assert without("A='1' B='2'\n", "B", ".env") == "A='1' \n"
    assert without("A\nB=2\n", "A", ".env") == "B=2\n"
    with pytest.raises(UsageError, match="there is no NEW"):
        without(FILE, "NEW", ".env")


@pytest.mark.parametrize("name", ["", "1A", "A B", "A-B", "Ä", "A\n"])
def test_a_name_that_no_compose_file_can_refer_to_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        require_name(name)


def test_a_value_in_the_command_line_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as error:
        require_name("KEY=hunter2")

    assert "hunter2" not in str(error.value)
    assert "inv env.set KEY" in error.value.remedy


def test_what_no_environment_holds_is_refused() -> None:
    for value in ("a\0b", "\udcff"):
        with pytest.raises(UsageError):
            quoted(value)


def test_a_placeholder_in_quotes_is_one_still() -> None:
    assert placeholders(read("API_KEY='changeme' # mend this\n", {}, ".env")) == ("API_KEY",)
