"""Commands as values: argument lists that are turned into shell text once, at the edge."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Self

_SCRIPT = ("sh", "-eu", "-c")


class Command(tuple[str, ...]):
    """An argument list. Every method returns a new command; none of them ever joins words into shell text.

    Secrets do not belong here: arguments are visible to every user of a machine. They travel over standard input.
    """

    __slots__ = ()

    def __new__(cls, *words: str | int) -> Self:
        return super().__new__(cls, (str(word) for word in words))

    def then(self, *words: str | int) -> Command:
        """These words appended."""
        return Command(*self, *words)

    def flag(self, name: str, on: object = True) -> Command:
        """`name` appended when `on` is true."""
        return self.then(name) if on else self

    def option(self, name: str, value: str | int | None) -> Command:
        """`name value` appended unless the value is None."""
        return self if value is None else self.then(name, value)

    def each(self, name: str, values: Iterable[str | int]) -> Command:
        """`name value` appended for every value."""
        return self.then(*(word for value in values for word in (name, value)))

    @property
    def title(self) -> str:
        """How messages call the command: a script by its name, never by its text."""
        if self[:2] == ("sudo", "-n"):
            return Command(*self[2:]).title
        return self[4] if self[:3] == _SCRIPT and len(self) > len(_SCRIPT) + 1 else self.shell()

    def shell(self) -> str:
        """The command as one line of POSIX shell, for a remote login shell or for a message."""
        return shlex.join(self)

    def __str__(self) -> str:
        return self.shell()


def script(text: str, name: str, *arguments: str | int) -> Command:
    """A POSIX shell script run with positional parameters: values are never pasted into its text."""
    return Command(*_SCRIPT, text, name, *arguments)


def sequence(*commands: Command, name: str = "sequence") -> Command:
    """Several commands in one go, each quoted for itself, ending at the first that fails."""
    return script("\n".join(command.shell() for command in commands), name)
