"""Runs, and what was learned in them: the tables."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Text, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Where the schema guard looks up what must be there."""


class Status(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Kind(StrEnum):
    """What sort of thing is remembered."""

    LESSON = "lesson"
    DECISION = "decision"
    ERROR = "error"


class Run(Base):
    """A piece of work that Autopack was given."""

    __tablename__ = "runs"
    __table_args__ = (CheckConstraint("status IN ('running', 'succeeded', 'failed')", name="runs_status"),)

    # the extension is there because the database's init script has made it
    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("uuid_generate_v4()"))
    goal: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default=Status.RUNNING.value)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Memory(Base):
    """Something worth knowing in later runs. Never changed, only added and forgotten: its vector follows from its text."""

    __tablename__ = "memories"
    __table_args__ = (CheckConstraint("kind IN ('lesson', 'decision', 'error')", name="memories_kind"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("uuid_generate_v4()"))
    kind: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    run_id: Mapped[UUID | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)
