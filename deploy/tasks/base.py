"""Turning functions into tasks: one decorator that makes errors readable and exit codes right."""

from __future__ import annotations

import functools
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Concatenate, ParamSpec, cast

import invoke.tasks
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task

from deploy.model.errors import DeployError, UsageError
from deploy.tasks.app import App

P = ParamSpec("P")
MESSAGE_LENGTH = 1000
SIGNALLED = 128  # plus the signal's number, as shells have it

HOST_HELP = "user@server[:port], a name from ~/.ssh/config, or 'sandbox'; repeatable, or comma-separated"
YES_HELP = "go on without asking"
JSON_HELP = "print JSON for a script instead of text"


def task(
    *,
    help: dict[str, str] | None = None,  # noqa: A002  # Invoke's own name for it
    iterable: tuple[str, ...] = (),
    positional: tuple[str, ...] = (),
    name: str | None = None,
    dry: bool = False,
    instead: dict[str, str] | None = None,
) -> Callable[[Callable[Concatenate[App, P], None]], Task[Any]]:
    """`invoke.task` for a function of an App.

    A DeployError becomes its text and its code. Ctrl-C, a CI job's end (SIGTERM) and a closed terminal (SIGHUP) undo
    what was begun and end with 128 and the signal's number. `dry` says that the function heeds Invoke's --dry; for
    others --dry is refused, since what cannot be tried must not be done instead. `instead` names for a positional
    argument the option that stands in for it: with that one it may be left out.
    """

    def decorate(function: Callable[Concatenate[App, P], None]) -> Task[Any]:
        @functools.wraps(function)
        def body(context: Context, /, *args: P.args, **kwargs: P.kwargs) -> None:
            app = App(context)
            for number in (signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, _stop)
            try:
                if app.dry and not dry:
                    raise UsageError("--dry: this task cannot be tried without doing it", "leave --dry out")
                function(app, *args, **kwargs)
            except DeployError as error:
                _show(app, error)
                raise Exit(code=error.code) from error
            except BrokenPipeError as error:
                # whoever read our output has enough of it, as `head` does; what is left of it goes nowhere
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise Exit(code=SIGNALLED + signal.SIGPIPE) from error
            except KeyboardInterrupt as error:
                number = error.args[0] if error.args else signal.SIGINT
                app.console.error("interrupted")
                raise Exit(code=SIGNALLED + number) from error

        made = invoke.tasks.task(
            body,
            help=help or {},
            iterable=list(iterable),
            positional=list(positional),
            auto_shortflags=False,
            name=name,
            klass=_Ours,
        )
        ours = cast("_Ours", made)
        ours.instead = instead or {}
        return ours

    return decorate


def whole(text: str, option: str, what: str, *, least: int) -> int:
    """The number that an option is given. Invoke's own numbers end in a traceback for a word. Raises UsageError."""
    if text.isascii() and text.isdecimal() and int(text) >= least:
        return int(text)
    raise UsageError(f"{option} {text}: that is no number of {what}", f"it takes a number from {least} on")


def tail_of(text: str) -> str:
    """What --tail is given, as compose takes it. Raises UsageError."""
    return text if text == "all" else str(whole(text, "--tail", "lines, nor 'all'", least=0))


def message_of(text: str) -> str:
    """What --message is given. Raises UsageError for more than anybody reads, or HAProxy takes in a command."""
    if len(text.strip()) > MESSAGE_LENGTH:
        raise UsageError(
            f"--message has {len(text.strip())} characters", f"say it in at most {MESSAGE_LENGTH}, or link to more"
        )
    return text.strip()


class _Replaceable(Argument):
    """A positional argument that may be left out when another option is given: Invoke has none with a default."""

    by: Argument | None = None

    @property
    def value(self) -> Any:
        given = super().value
        return "" if given is None and self.by and self.by.got_value else given

    @value.setter
    def value(self, arg: str) -> None:
        self.set_value(arg, cast=True)


class _Ours(Task[Any]):
    """A task that may have such arguments, and takes no list option without a value.

    Of `--host` at the end of a line Invoke makes no host at all: the task would go to those of invoke.yaml.
    """

    instead: Mapping[str, str] = {}
    """Names of theirs, each with that of the other option."""

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        arguments = super().get_arguments(ignore_unknown_help)
        for one in arguments:
            if one.kind is list:
                one.raw_value = None  # what Invoke tells a missing value by
        by_name = {one.name: one for one in arguments}
        for name, other in self.instead.items():
            one = by_name[name]
            one.__class__ = _Replaceable
            cast("_Replaceable", one).by = by_name[other]
        return arguments


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # what signal.signal calls it with
    raise KeyboardInterrupt(number)


def _show(app: App, error: DeployError) -> None:
    if error.details:
        app.console.say(re.sub(r"(?m)^", "  ", error.details.rstrip()))
    app.console.error(error.message)
    if error.remedy:
        app.console.say(f"→ {error.remedy}")
