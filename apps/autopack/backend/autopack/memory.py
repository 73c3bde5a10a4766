"""Remembering and recalling: rows in PostgreSQL are what is known, vectors in Qdrant are how it is found.

The vectors follow from the rows. A vector that was not written, or one whose row has gone, is put right by
:meth:`Memories.reconcile`, which runs at start and every few seconds: so a backup of the database is a backup of everything.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, delete, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from autopack.embedding import embed
from autopack.models import Kind, Memory
from autopack.vectors import BATCH, VectorError, Vectors

LEAST = 0.15
"""Texts that have nothing to do with each other come to about 0.06, one over the root of the dimensions."""
RECONCILING = 4_102_001
"""Number of the advisory lock, so that only one process at a time compares."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recalled:
    """A memory that was found, and how similar it is to what was asked, from LEAST to 1."""

    memory: Memory
    score: float


@dataclass(frozen=True)
class Mended:
    """How many vectors were not as the database has it."""

    added: int
    removed: int


class Memories:
    """All that is known."""

    def __init__(self, engine: Engine, vectors: Vectors) -> None:
        self._engine = engine
        self._vectors = vectors

    def remember(self, session: Session, kind: Kind, content: str, run_id: UUID | None = None) -> tuple[Memory, bool]:
        """The new memory, committed, and whether it can be found already or only after the next comparison."""
        memory = Memory(kind=kind.value, text=content, run_id=run_id)
        session.add(memory)
        session.commit()
        try:
            self._vectors.put([_point(memory)])
        except VectorError as error:
            log.warning("Memory %s has no vector yet: %s", memory.id, error)
            return memory, False
        return memory, True

    def forget(self, session: Session, memory_id: UUID) -> bool:
        """Whether there was such a memory."""
        found = session.execute(delete(Memory).where(Memory.id == memory_id).returning(Memory.id)).scalar()
        session.commit()
        if found is None:
            return False
        try:
            self._vectors.remove([memory_id])
        except VectorError as error:
            log.warning("The vector of memory %s is still there: %s", memory_id, error)
        return True

    def recall(self, session: Session, about: str, limit: int, kind: Kind | None = None) -> Sequence[Recalled]:
        """What is most similar to a text, best first. Raises VectorError when Qdrant does not answer."""
        vector = embed(about)
        if not any(vector):
            return ()
        found = self._vectors.nearest(vector, limit, LEAST, {"kind": kind.value} if kind else {})
        rows = session.scalars(select(Memory).where(Memory.id.in_([key for key, _ in found])))
        memories = {memory.id: memory for memory in rows}
        return [Recalled(memories[key], score) for key, score in found if key in memories]

    def reconcile(self, *, wait: bool = False, afresh: bool = False) -> Mended | None:
        """Make the vectors agree with the rows. None when another process is at it; `wait` waits for that one.

        `afresh` throws all vectors away before, and searches fail until they are there again.

        Raises VectorError and SQLAlchemyError.
        """
        with Session(self._engine) as session:
            if wait:
                session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": RECONCILING})
            elif not session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": RECONCILING}):
                return None
            if afresh:
                self._vectors.drop()
            self._vectors.ensure()
            # vectors first: a memory that is added meanwhile has its row before its vector, and would look left over
            found = {*self._vectors.ids()}
            wanted = {*session.scalars(select(Memory.id))}
            lacking = wanted - found
            for some in batched(lacking, BATCH):
                rows = session.scalars(select(Memory).where(Memory.id.in_(some)))
                self._vectors.put([_point(memory) for memory in rows])
            self._vectors.remove(found - wanted)
            mended = Mended(len(lacking), len(found - wanted))
        if mended != Mended(0, 0):
            log.info("Vectors compared with the database: %s added, %s removed.", mended.added, mended.removed)
        return mended


class Reconciler:
    """Compares again and again, in a thread of its own, from :meth:`start` to :meth:`stop`."""

    def __init__(self, memories: Memories, every_s: float) -> None:
        self._memories = memories
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self._memories.reconcile()
            except (VectorError, SQLAlchemyError) as error:
                log.warning("Vectors were not compared with the database: %s", error)


def _point(memory: Memory) -> tuple[UUID, list[float], dict[str, Any]]:
    return memory.id, embed(memory.text), {"kind": memory.kind}
