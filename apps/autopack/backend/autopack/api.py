"""What the page and other programs may ask: everything under /api."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlalchemy import select
from sqlalchemy.orm import Session

from autopack.memory import Memories, Recalled
from autopack.models import Kind, Memory, Run, Status
from autopack.vectors import VectorError
from autopack.version import APP_VERSION

RECALLED_FOR_A_RUN = 5
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]
Limit = Annotated[int, Query(ge=1, le=100)]
router = APIRouter(prefix="/api")


def open_session(request: Request) -> Iterator[Session]:
    with Session(request.app.state.engine, expire_on_commit=False) as session:
        yield session


def the_memories(request: Request) -> Memories:
    found: Memories = request.app.state.memories
    return found


Database = Annotated[Session, Depends(open_session)]
Known = Annotated[Memories, Depends(the_memories)]


class NewMemory(BaseModel):
    kind: Kind = Kind.LESSON
    text: Text
    run_id: UUID | None = None


class MemoryOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: UUID
    kind: Kind
    text: str
    run_id: UUID | None
    created_at: datetime


class StoredMemory(MemoryOut):
    indexed: bool
    """Whether a search finds it at once; otherwise it will within seconds."""


class FoundMemory(MemoryOut):
    score: float
    """Cosine similarity with what was asked."""


class NewRun(BaseModel):
    goal: Text


class RunEnd(BaseModel):
    status: Status
    learned: Text | None = None


class RunOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: UUID
    goal: str
    status: Status
    started_at: datetime
    finished_at: datetime | None


class RunWithMemories(RunOut):
    recalled: list[FoundMemory]
    """What is known about the goal, most similar first."""


@router.get("/version")
def version() -> dict[str, str]:
    return {"version": APP_VERSION}


@router.get("/memories")
def memories(session: Database, limit: Limit = 20) -> list[MemoryOut]:
    """The newest."""
    rows = session.scalars(select(Memory).order_by(Memory.created_at.desc(), Memory.id).limit(limit))
    return [MemoryOut.model_validate(row) for row in rows]


@router.post("/memories", status_code=HTTPStatus.CREATED)
def remember(new: NewMemory, session: Database, known: Known) -> StoredMemory:
    if new.run_id:
        _run(session, new.run_id)
    memory, indexed = known.remember(session, new.kind, new.text, new.run_id)
    return StoredMemory(**_fields(memory), indexed=indexed)


@router.get("/memories/search")
def search(
    session: Database,
    known: Known,
    q: Annotated[str, Query(min_length=1, max_length=2000)],
    kind: Kind | None = None,
    limit: Limit = 10,
) -> list[FoundMemory]:
    """What is most similar to `q`, best first."""
    return _found(_recall(known, session, q, limit, kind))


@router.delete("/memories/{memory_id}", status_code=HTTPStatus.NO_CONTENT)
def forget(memory_id: UUID, session: Database, known: Known) -> Response:
    if not known.forget(session, memory_id):
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such memory")
    return Response(status_code=HTTPStatus.NO_CONTENT)


@router.get("/runs")
def runs(session: Database, limit: Limit = 20) -> list[RunOut]:
    """The latest."""
    rows = session.scalars(select(Run).order_by(Run.started_at.desc(), Run.id).limit(limit))
    return [RunOut.model_validate(row) for row in rows]


@router.post("/runs", status_code=HTTPStatus.CREATED)
def start_run(new: NewRun, session: Database, known: Known) -> RunWithMemories:
    run = Run(goal=new.goal)
    session.add(run)
    session.commit()
    return _with_memories(run, session, known)


@router.get("/runs/{run_id}")
def one_run(run_id: UUID, session: Database, known: Known) -> RunWithMemories:
    return _with_memories(_run(session, run_id), session, known)


@router.patch("/runs/{run_id}")
def end_run(run_id: UUID, end: RunEnd, session: Database, known: Known) -> RunOut:
    """End a run and remember what was learned in it, a failure as an error."""
    run = _run(session, run_id)
    if end.status == Status.RUNNING or run.status != Status.RUNNING:
        raise HTTPException(HTTPStatus.CONFLICT, f"a run that {run.status} cannot become {end.status}")
    run.status, run.finished_at = end.status.value, datetime.now(UTC)
    if end.learned:
        known.remember(session, Kind.ERROR if end.status == Status.FAILED else Kind.LESSON, end.learned, run.id)
    session.commit()
    return RunOut.model_validate(run)


def _run(session: Session, run_id: UUID) -> Run:
    run = session.get(Run, run_id)
    if run is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such run")
    return run


def _with_memories(run: Run, session: Session, known: Memories) -> RunWithMemories:
    """A run with what is known about its goal; with nothing where Qdrant does not answer, as a run can do without."""
    try:
        recalled = known.recall(session, run.goal, RECALLED_FOR_A_RUN)
    except VectorError:
        recalled = ()
    return RunWithMemories(**RunOut.model_validate(run).model_dump(), recalled=_found(recalled))


def _recall(known: Memories, session: Session, about: str, limit: int, kind: Kind | None) -> Sequence[Recalled]:
    try:
        return known.recall(session, about, limit, kind)
    except VectorError as error:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "the vector memory does not answer") from error


def _found(recalled: Sequence[Recalled]) -> list[FoundMemory]:
    return [FoundMemory(**_fields(one.memory), score=round(one.score, 4)) for one in recalled]


def _fields(memory: Memory) -> dict[str, Any]:
    return MemoryOut.model_validate(memory).model_dump()
