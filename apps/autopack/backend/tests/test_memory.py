"""Rows and vectors: that they agree, and what happens when they do not."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import Engine, delete, text
from sqlalchemy.orm import Session

from autopack.memory import RECONCILING, Memories, Mended
from autopack.models import Kind, Memory
from autopack.vectors import VectorError, Vectors

TEXTS = (
    "Pin the compiler before building the wheel",
    "The upload was retried without a backoff and flooded the server",
    "Feature flags are read once, at start",
)


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    # one that is left open keeps its locks, and whoever empties the tables next waits for ever
    with Session(engine) as opened:
        yield opened


@pytest.fixture
def known(memories: Memories, session: Session) -> list[Memory]:
    return [memories.remember(session, Kind.LESSON, content)[0] for content in TEXTS]


def test_what_is_remembered_is_found_by_what_it_is_about(
    memories: Memories, session: Session, known: list[Memory]
) -> None:
    found = memories.recall(session, "retry uploads with backoff", 2)
    assert found[0].memory.id == known[1].id
    assert found[0].score > 0.3


def test_only_the_kind_that_is_asked_for_is_found(memories: Memories, session: Session, known: list[Memory]) -> None:
    decision, _ = memories.remember(session, Kind.DECISION, "We pin the compiler")
    assert [one.memory.id for one in memories.recall(session, "compiler", 9, Kind.DECISION)] == [decision.id]
    assert len(memories.recall(session, "compiler", 9)) == 2


def test_what_is_forgotten_is_not_found(
    memories: Memories, session: Session, vectors: Vectors, known: list[Memory]
) -> None:
    assert memories.forget(session, known[0].id)
    assert memories.recall(session, "compiler", 9) == []
    assert known[0].id not in set(vectors.ids())
    assert not memories.forget(session, uuid4())


def test_nothing_is_found_for_a_text_without_words(memories: Memories, session: Session, known: list[Memory]) -> None:
    assert memories.recall(session, "…", 9) == ()


def test_a_lost_collection_is_made_again(
    memories: Memories, session: Session, vectors: Vectors, known: list[Memory]
) -> None:
    vectors.drop()
    assert memories.reconcile() == Mended(3, 0)
    assert memories.recall(session, "retry uploads with backoff", 1)[0].memory.id == known[1].id
    assert memories.reconcile() == Mended(0, 0)


def test_a_vector_whose_row_is_gone_is_never_shown_and_soon_removed(
    memories: Memories, session: Session, vectors: Vectors, known: list[Memory]
) -> None:
    session.execute(delete(Memory).where(Memory.id == known[0].id))
    session.commit()
    assert memories.recall(session, "compiler", 9) == []
    assert memories.reconcile() == Mended(0, 1)
    assert set(vectors.ids()) == {known[1].id, known[2].id}


def test_without_qdrant_a_memory_is_kept_and_found_later(engine: Engine, session: Session, vectors: Vectors) -> None:
    lost = Vectors("http://127.0.0.1:9", prefix="nowhere")
    memory, indexed = Memories(engine, lost).remember(session, Kind.ERROR, "Qdrant was restarted")
    assert not indexed
    with pytest.raises(VectorError, match="cannot be reached"):
        Memories(engine, lost).recall(session, "restarted", 1)

    assert Memories(engine, vectors).reconcile() == Mended(1, 0)
    assert Memories(engine, vectors).recall(session, "restarted", 1)[0].memory.id == memory.id


def test_one_process_compares_at_a_time(engine: Engine, memories: Memories) -> None:
    with engine.begin() as other:
        other.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": RECONCILING})
        assert memories.reconcile() is None
    assert memories.reconcile() is not None


def test_more_memories_than_go_in_one_call_all_get_their_vector(
    memories: Memories, session: Session, vectors: Vectors
) -> None:
    session.add_all(Memory(kind="lesson", text=f"Lesson number {number}") for number in range(1100))
    session.commit()
    assert memories.reconcile() == Mended(1100, 0)
    assert len(set(vectors.ids())) == 1100
