"""Commands: values first, then real processes on this machine."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from deploy.model.command import Command, script, sequence
from deploy.model.errors import CommandError, DeployError
from deploy.shell import LocalShell
from deploy.shell.base import lines_of


def test_commands_are_built_from_words() -> None:
    command = Command("docker", "run").flag("--rm").flag("-it", False).option("--name", None).option("--cpus", 2)

    assert command.each("--env", ["A=1", "B=x y"]) == (
        "docker",
        "run",
        "--rm",
        "--cpus",
        "2",
        "--env",
        "A=1",
        "--env",
        "B=x y",
    )


def test_a_command_is_quoted_once_at_the_edge() -> None:
    assert Command("echo", "it's", "$HOME", "a;b").shell() == """echo 'it'"'"'s' '$HOME' 'a;b'"""


def test_values_never_become_script_text() -> None:
    done = LocalShell().run(script('printf "%s" "$1"', "show", "$(touch /tmp/pwned); `id`"))

    assert done.stdout == "$(touch /tmp/pwned); `id`"


def test_a_sequence_ends_at_the_first_failure() -> None:
    with pytest.raises(CommandError) as caught:
        LocalShell().run(sequence(Command("echo", "one two"), Command("false"), Command("echo", "never")))

    assert "ended with status 1" in caught.value.message
    assert "never" not in caught.value.stderr


def test_output_input_and_status_are_those_of_the_command() -> None:
    done = LocalShell().run(Command("sh", "-c", "cat; echo err >&2; exit 3"), stdin=b"in", check=False)

    assert (done.stdout, done.stderr, done.exit_code, done.ok) == ("in", "err\n", 3, False)


def test_lines_are_heard_as_they_come_from_both_streams() -> None:
    heard: list[str] = []
    LocalShell().run(Command("sh", "-c", r"printf 'a\nb\rc'; echo d >&2"), on_line=heard.append)

    assert sorted(heard) == ["a", "b", "c", "d"]


def test_large_input_and_output_do_not_block_each_other() -> None:
    data = b"x" * (4 << 20)

    assert LocalShell().run(Command("cat"), stdin=data).stdout == data.decode()


def test_a_command_that_does_not_read_its_input_is_no_error() -> None:
    assert LocalShell().run(Command("true"), stdin=b"x" * (1 << 20)).ok


def test_a_command_that_takes_too_long_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(DeployError, match=r"did not end within 0.2 s"):
        LocalShell().run(Command("sleep", "60"), timeout_s=0.2)
    assert time.monotonic() - began < 30


def test_a_missing_program_is_named() -> None:
    with pytest.raises(DeployError, match="'no-such-program' is not installed on this machine"):
        LocalShell().run(Command("no-such-program"))


def test_a_failed_command_shows_the_end_of_its_errors() -> None:
    with pytest.raises(CommandError) as caught:
        LocalShell().run(Command("sh", "-c", "for i in $(seq 100); do echo line $i >&2; done; exit 9"))

    assert caught.value.exit_code == 9
    assert caught.value.details.splitlines()[-1] == "line 100"
    assert len(caught.value.details.splitlines()) == 20


def test_commands_run_in_the_given_folder_with_the_given_variables(tmp_path: Path) -> None:
    shell = LocalShell(tmp_path, {"COLOUR": "blue"})

    assert shell.run(Command("sh", "-c", "pwd; echo $COLOUR")).stdout.splitlines() == [str(tmp_path), "blue"]


def test_a_process_left_early_is_killed() -> None:
    with LocalShell().start(Command("sleep", "60")) as process:
        child = process._child
    assert child.returncode is not None


def test_lines_may_arrive_in_pieces_and_in_the_middle_of_a_letter() -> None:
    pieces = iter([b"caf\xc3", b"\xa9\nsec", b"ond", b""])

    assert list(lines_of(lambda _: next(pieces))) == ["café", "second"]


def test_an_error_in_a_listener_reaches_the_caller() -> None:
    def refuse(line: str) -> None:
        raise ValueError(line)

    with pytest.raises(ValueError, match="heard"):
        LocalShell().run(Command("echo", "heard"), on_line=refuse)
