"""Whatever a value holds, it arrives as it is: in every shell, in a shell within one, in SQL, in HAProxy's maps."""

from __future__ import annotations

import base64
import html
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.data.mysql_text import identifier as mysql_identifier
from deploy.data.mysql_text import literal as mysql_literal
from deploy.data.postgres import connection, identifier, literal
from deploy.engine.compose import _plain
from deploy.model.command import Command, script, sequence
from deploy.model.edge import Maintenance, maintenance_commands, render_maintenance
from deploy.model.options import parse_options, split
from deploy.shell import LocalShell
from tests.nasty import texts

SEEDS = range(20)
SHELLS = tuple(shell for shell in ("sh", "dash", "bash", "busybox sh") if shutil.which(shell.split()[0]))
PRINT = 'for word in "$@"; do printf "%s\\0" "$word"; done'


def printed(words: list[str], cwd: Path) -> list[str]:
    """What a command wrote, part by part; it left nothing behind."""
    done = subprocess.run(words, capture_output=True, check=True, cwd=cwd)
    assert done.stderr == b""
    assert [*cwd.iterdir()] == []
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_word_of_a_command_arrives_as_it_is(tmp_path: Path, seed: int, shell: str) -> None:
    words = [*texts(seed, 200)]
    command = Command("printf", r"%s\0", *words)

    assert printed([*shell.split(), "-c", command.shell()], tmp_path) == words


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_parameter_of_a_script_arrives_through_two_shells(tmp_path: Path, seed: int, shell: str) -> None:
    """As on a host: the login shell of whoever works there reads what starts the script's own."""
    words = [*texts(seed, 100)]

    assert printed([*shell.split(), "-c", script(PRINT, "print.sh", *words).shell()], tmp_path) == words


@pytest.mark.parametrize("seed", SEEDS)
def test_commands_in_one_go_keep_their_words_apart(tmp_path: Path, seed: int) -> None:
    words = [*texts(seed, 40)]
    commands = [script(PRINT, "print.sh", *words[at : at + 5]) for at in range(0, len(words), 5)]

    assert printed([*sequence(*commands)], tmp_path) == words


@pytest.mark.parametrize("seed", SEEDS)
def test_options_keep_their_values(seed: int) -> None:
    words = [*texts(seed, 50)]
    command = Command("x").each("--name", words).option("--one", words[0]).option("--none", None).flag("-q")

    assert [*command] == ["x", *(word for value in words for word in ("--name", value)), "--one", words[0], "-q"]
    assert shlex.split(command.shell()) == [*command]


def test_a_command_has_no_word_that_no_program_can_take(tmp_path: Path) -> None:
    """NUL ends an argument: it is an error of ours where one comes so far, and never a shorter word."""
    with pytest.raises(ValueError, match="null"):
        LocalShell(tmp_path).start(Command("printf", "a\0b"))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_command_of_a_compose_file_has_the_words_that_were_quoted_there(seed: int) -> None:
    words = [*texts(seed, 50)]

    assert split(shlex.join(words), "the command") == words
    assert parse_options({"migrate": words}, "web").migrate == Command(*words)
    assert parse_options({"migrate": shlex.join(words)}, "web").migrate == Command(*words)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_dollar_that_compose_prints_twice_is_one_again(seed: int) -> None:
    for text in texts(seed, 50):
        assert _plain({"a": [text.replace("$", "$$")]}) == {"a": [text]}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_maintenance_message_is_one_word_of_haproxy_and_no_html(seed: int) -> None:
    for text in texts(seed, 100):
        maintenance = Maintenance("ada", "now", text)
        (word,) = re.findall(r"(?m)^message (\S+)$", render_maintenance(maintenance))
        shown = base64.b64decode(word).decode()

        assert len(render_maintenance(maintenance).splitlines()) == 2
        assert not text or html.unescape(shown) == text
        assert not re.search("[<>\"']", shown)
        for command in maintenance_commands(maintenance):
            assert re.fullmatch(r"[A-Za-z0-9 ./=+_#-]+", command), command


@pytest.mark.parametrize("seed", SEEDS)
def test_names_and_texts_in_sql_end_where_they_end(seed: int) -> None:
    for text in texts(seed, 100):
        for quoted, quote in ((identifier(text), '"'), (literal(text), "'"), (mysql_identifier(text), "`")):
            inner = quoted[1:-1]
            assert (quoted[0], quoted[-1]) == (quote, quote)
            assert inner.replace(quote * 2, "") == text.replace(quote, "")
            assert inner.replace(quote * 2, quote) == text
        inner = mysql_literal(text)[1:-1]
        assert re.fullmatch(r"(?s)(?:[^'\\]|''|\\\\)*", inner), text


def test_a_databases_name_is_no_connection_string() -> None:
    """libpq reads one wherever it takes a name: https://www.postgresql.org/docs/17/libpq-connect.html."""
    assert connection("shop") == "shop"
    assert connection("a=b") == "dbname='a=b'"
    assert connection("it's=\\") == "dbname='it\\'s=\\\\'"
    assert connection("postgresql://x") == "dbname='postgresql://x'"
