"""What every kind of store can do: copy itself into a backup, say what a restore would lose, come back, be proved.

A store is one thing with state in one container or volume. Restoring always has two halves: everything is made and
compared beside what is live, and only when all of it is right is anything swapped in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from deploy.data.repository import Repository, Writing
from deploy.model.backup import Content, Manifest, Part
from deploy.model.command import Command
from deploy.model.errors import DeployError
from deploy.ui import Step


@dataclass(frozen=True)
class Prepared:
    """A part that stands beside what is live, compared and right."""

    part: Part
    swap: Callable[[Step], str]
    """Puts it in place; says where what was live is now, if it is kept."""
    discard: Callable[[], None]
    """Removes it again, when another part could not be made or the swap is over."""


@dataclass(frozen=True)
class Restoring:
    """A restore that is going on: where parts come from, what tells its makings apart, who hears how far it is."""

    repository: Repository
    backup: Manifest
    mark: str
    step: Step

    def feed(self, part: Part, command: Command) -> Command:
        """A command that reads a part's content from its standard input."""
        return self.repository.feed(self.backup, part, command)


class Snapshot:
    """A consistent view of a database, held open. Its tables are counted while others read the same view."""

    def __init__(self, name: str, answers: Iterable[tuple[str, Content]]) -> None:
        self.id = name
        self._answers = answers

    def tables(self) -> Mapping[str, Content]:
        """Rows and checksum of every table, once; waits until all are counted. Raises DeployError when some cannot."""
        return dict(self._answers)


class Store(ABC):
    """One thing with state."""

    title: str
    """`db/timetracker`, `web/media`, as users name it."""

    def is_called(self, word: str) -> bool:
        """Whether a user may mean this store by a word."""
        return word in {self.title, *self.title.split("/", 1)}

    @abstractmethod
    def expected_bytes(self) -> int:
        """About how many bytes a backup of it will take."""

    @abstractmethod
    def back_up(self, writing: Writing) -> Iterator[Part]:
        """Copy it and prove the copies readable. Raises DeployError or CommandError; then nothing counts."""

    @abstractmethod
    def holds(self, part: Part) -> bool:
        """Whether a part of a backup is of this store."""

    @abstractmethod
    def check(self, part: Part) -> None:
        """Refuse what cannot be restored here, before anything is touched. Raises DeployError."""

    @abstractmethod
    def contents(self, part: Part) -> Mapping[str, Content]:
        """What is there now in the place of a part, without checksums. Raises CommandError when it cannot be told,
        and DeployError where nothing is there that could take a part of a database.
        """

    @abstractmethod
    def prepare(self, part: Part, restoring: Restoring) -> Prepared:
        """Restore a part beside what is live and compare it. Raises DeployError; nothing is left behind then."""


class DatabaseStore(Store):
    """Every database of one server."""

    goes_into: str
    """What its client is told to work on a database: the words, and `{}` for the name."""

    @abstractmethod
    def exists(self, database: str) -> bool: ...

    @abstractmethod
    def prepare_as(self, fresh: str, part: Part, restoring: Restoring) -> Prepared:
        """Restore into a fresh database of some name and compare every row."""


def wrong(part: Part, problems: tuple[str, ...]) -> DeployError:
    """For a restored part that is not what was backed up."""
    return DeployError(f"{part.title}: what was restored is not what was backed up", details="\n".join(problems))
