"""What a drill has found out about a backup."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Proof:
    """A backup was restored into a scratch and compared: when, how long it took, and what was wrong."""

    at: datetime
    by: str
    recover_s: float
    """From nothing to restored and compared, every part of it."""
    parts: tuple[str, ...]
    """Titles of those that were restored."""
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self) | {"at": self.at.isoformat()}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Proof:
        """Raises ValueError, KeyError or TypeError for a text that is none of ours."""
        raw = json.loads(text)
        return cls(
            **raw
            | {
                "at": datetime.fromisoformat(raw["at"]),
                "parts": tuple(raw["parts"]),
                "problems": tuple(raw["problems"]),
            }
        )
