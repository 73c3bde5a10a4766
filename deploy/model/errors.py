"""The one error every expected failure is reported with."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

MOST_TOLD = 20
"""Of errors at once: whoever mends these sees whether the rest are of the same kind."""


class DeployError(Exception):
    """An expected failure: shown to the user as text, never as a traceback.

    `message` says what happened and where, `remedy` what to type or change next, `details` is evidence such as the last
    log lines of a container. `code` becomes the exit status.
    """

    def __init__(self, message: str, remedy: str = "", *, details: str = "", code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.details = details
        self.code = code

    def __str__(self) -> str:
        return "\n".join(part for part in (self.details.rstrip(), self.message, self.remedy) if part)


class UsageError(DeployError):
    """Input we cannot act on: nothing was touched. Exit status 2, as command lines have it."""

    def __init__(self, message: str, remedy: str = "", *, details: str = "") -> None:
        super().__init__(message, remedy, details=details, code=2)


class CommandError(DeployError):
    """A command ended with a status that its caller did not accept."""

    def __init__(self, message: str, *, exit_code: int, stderr: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy, details=tail(stderr))
        self.exit_code = exit_code
        self.stderr = stderr


class LinkLostError(DeployError):
    """The connection to a host ended before the command did; what the command goes on to do there is unknown."""


class UnreachableError(DeployError):
    """No connection to a host could be made: nothing was done there."""


def together(errors: Sequence[DeployError], what: str) -> DeployError:
    """One error for all that went wrong at once; `what` sums it up.

    Equal ones are told once, a single one as it is, and of very many the first.
    """
    unique = {str(error): error for error in errors}
    if len(unique) == 1:
        return errors[0]
    told = [*unique.values()][:MOST_TOLD]
    texts = [f"{error.details}\n{error.message}\n→ {error.remedy}".strip("\n→ ") for error in told]
    if len(unique) > MOST_TOLD:
        texts.append(f"… and {len(unique) - MOST_TOLD} more")
    code = 2 if all(isinstance(error, UsageError) for error in errors) else 1
    return DeployError(what, "mend these, then run the command again", details="\n\n".join(texts), code=code)


def tail(text: str, lines: int = 20) -> str:
    """The last `lines` lines of a text, without the empty ones at its end."""
    return "\n".join(text.rstrip().splitlines()[-lines:])


def nearest(word: str, known: Sequence[str]) -> str:
    """A sentence that helps a mistyped word on its way."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"
