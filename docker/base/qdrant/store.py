"""Collections of points, in memory for searching and in one SQLite file for keeping."""

from __future__ import annotations

import heapq
import json
import math
import operator
import re
import sqlite3
import threading
import uuid
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

PointId = int | str
"""A number, or a UUID in its canonical form."""

FILE = "stand-in.sqlite3"
"""Not a name of Qdrant's: should the real one get this volume, it starts empty and does not stumble over this file."""
SNAPSHOT = b"a snapshot of the stand-in for Qdrant\n"
MOST_DIMENSIONS = 65536
_NAME = re.compile(r"[^<>:\"/\\|?*\0]{1,255}")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS collections (name TEXT PRIMARY KEY, size INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS points (
    collection TEXT NOT NULL REFERENCES collections ON DELETE CASCADE,
    id TEXT NOT NULL, version INTEGER NOT NULL, vector BLOB NOT NULL, payload TEXT NOT NULL,
    PRIMARY KEY (collection, id)
);
"""


def _slow_dot(left: Iterable[float], right: Iterable[float]) -> float:
    return sum(map(operator.mul, left, right))


dot: Callable[[Iterable[float], Iterable[float]], float] = getattr(math, "sumprod", _slow_dot)  # Python 3.12 and newer


class RefusedError(Exception):
    """A call that is answered with an error. The text is what Qdrant itself would say, where it would."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Point:
    """A vector with what belongs to it. Vectors have length 1, as Cosine distance wants, and single precision."""

    id: PointId
    version: int
    vector: list[float] = field(repr=False)
    payload: Mapping[str, Any]


@dataclass
class Collection:
    """Points by id. `size` is the number of dimensions."""

    size: int
    points: dict[PointId, Point] = field(default_factory=dict)


class Store:
    """Everything there is. Safe to be used by several threads; what has returned is on the disk."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(folder / FILE, check_same_thread=False)
        self._file.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {_SCHEMA}")
        self._file.execute("PRAGMA foreign_keys = ON")
        self._collections = {name: Collection(size) for name, size in self._file.execute("SELECT * FROM collections")}
        self._snapshots: dict[str, dict[str, bytes]] = {}
        self._version = 0
        for name, key, version, vector, payload in self._file.execute("SELECT * FROM points"):
            point = Point(json.loads(key), version, array("f", vector).tolist(), json.loads(payload))
            self._collections[name].points[point.id] = point
            self._version = max(self._version, version)

    def close(self) -> None:
        with self._lock:
            self._file.close()

    def names(self) -> list[str]:
        with self._lock:
            return sorted(self._collections)

    def exists(self, name: str) -> bool:
        with self._lock:
            return name in self._collections

    def size_and_count(self, name: str) -> tuple[int, int]:
        """Dimensions and number of points of a collection."""
        with self._lock:
            collection = self._collection(name)
            return collection.size, len(collection.points)

    def create(self, name: str, size: int) -> None:
        if not _NAME.fullmatch(name) or not 0 < size <= MOST_DIMENSIONS:
            raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, f"Validation error: name `{name}`, vectors.size {size}")
        with self._lock:
            if name in self._collections:
                raise RefusedError(HTTPStatus.CONFLICT, f"Wrong input: Collection `{name}` already exists!")
            with self._file:
                self._file.execute("INSERT INTO collections VALUES (?, ?)", (name, size))
            self._collections[name] = Collection(size)

    def drop(self, name: str) -> bool:
        """Whether there was such a collection."""
        with self._lock:
            with self._file:
                self._file.execute("DELETE FROM collections WHERE name = ?", (name,))
            return self._collections.pop(name, None) is not None

    def upsert(self, name: str, given: Sequence[tuple[PointId, Sequence[float], Mapping[str, Any]]]) -> int:
        """Put points in, in the place of those with the same ids; all of them or none. The operation's number."""
        with self._lock:
            collection = self._collection(name)
            version = self._version + 1
            points = [Point(key, version, _unit(vector, collection.size), payload) for key, vector, payload in given]
            rows = [
                (name, json.dumps(one.id), version, array("f", one.vector).tobytes(), json.dumps(one.payload))
                for one in points
            ]
            with self._file:
                self._file.executemany("INSERT OR REPLACE INTO points VALUES (?, ?, ?, ?, ?)", rows)
            collection.points |= {one.id: one for one in points}
            self._version = version
            return version

    def take_snapshot(self, name: str) -> tuple[str, bytes]:
        """The name and the content of a new snapshot of a collection, kept until this process ends."""
        with self._lock:
            collection = self._collection(name)
            points = [[one.id, one.version, one.vector, one.payload] for one in collection.points.values()]
            content = SNAPSHOT + json.dumps({"size": collection.size, "points": points}).encode()
            snapshot = f"{name}-{uuid.uuid4().hex}.snapshot"
            self._snapshots.setdefault(name, {})[snapshot] = content
            return snapshot, content

    def snapshots(self, name: str) -> Mapping[str, bytes]:
        with self._lock:
            self._collection(name)
            return dict(self._snapshots.get(name, {}))

    def snapshot(self, name: str, snapshot: str) -> bytes:
        found = self.snapshots(name).get(snapshot)
        if found is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, f"Not found: Snapshot {snapshot} not found")
        return found

    def drop_snapshot(self, name: str, snapshot: str) -> bool:
        self.snapshot(name, snapshot)
        with self._lock:
            return self._snapshots[name].pop(snapshot, None) is not None

    def recover(self, name: str, content: bytes) -> bool:
        """Make a collection what a snapshot says, whether there is one of that name or not."""
        try:
            raw = json.loads(content.removeprefix(SNAPSHOT)) if content.startswith(SNAPSHOT) else {}
            size, points = int(raw["size"]), raw["points"]
            rows = [
                (name, json.dumps(key), version, array("f", vector).tobytes(), json.dumps(payload))
                for key, version, vector, payload in points
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise RefusedError(
                HTTPStatus.BAD_REQUEST, f"Wrong input: not a snapshot of the stand-in: {error!r}"
            ) from error
        self.drop(name)
        self.create(name, size)
        with self._lock:
            with self._file:
                self._file.executemany("INSERT INTO points VALUES (?, ?, ?, ?, ?)", rows)
            held = self._collections[name].points
            held |= {key: Point(key, version, vector, payload) for key, version, vector, payload in points}
            self._version = max([self._version, *(one.version for one in held.values())])
        return True

    def delete(self, name: str, ids: Iterable[PointId]) -> int:
        """Take points out; ids that are not there are none of its business. The operation's number."""
        with self._lock:
            collection = self._collection(name)
            gone = list(ids)
            with self._file:
                self._file.executemany(
                    "DELETE FROM points WHERE collection = ? AND id = ?", [(name, json.dumps(one)) for one in gone]
                )
            for one in gone:
                collection.points.pop(one, None)
            self._version += 1
            return self._version

    def nearest(
        self, name: str, vector: Sequence[float], limit: int, conditions: Mapping[str, Any], threshold: float | None
    ) -> list[tuple[float, Point]]:
        """The points most like a vector, best first, with their similarity. `conditions` is payload to be had."""
        with self._lock:
            collection = self._collection(name)
            candidates = list(collection.points.values())
        wanted = _unit(vector, collection.size)
        scored = ((dot(wanted, one.vector), one) for one in candidates if _matches(one.payload, conditions))
        close = scored if threshold is None else ((score, one) for score, one in scored if score >= threshold)
        return heapq.nlargest(limit, close, key=lambda pair: pair[0])

    def page(self, name: str, offset: PointId | None, limit: int) -> tuple[list[Point], PointId | None]:
        """Points in the order of their ids from `offset` on, and the id after the last of them."""
        with self._lock:
            points = self._collection(name).points
            ids = sorted((key for key in points if offset is None or _order(key) >= _order(offset)), key=_order)
            found = [points[key] for key in ids[:limit]]
        return found, next(iter(ids[limit : limit + 1]), None)

    def _collection(self, name: str) -> Collection:
        if name not in self._collections:
            raise RefusedError(HTTPStatus.NOT_FOUND, f"Not found: Collection `{name}` doesn't exist!")
        return self._collections[name]


def point_id(raw: object) -> PointId:
    """An id as it was sent. Raises RefusedError for what is neither an unsigned number nor a UUID."""
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
        return raw
    try:
        return str(uuid.UUID(raw if isinstance(raw, str) else ""))
    except ValueError:
        text = f"Format error in JSON body: {raw} is not a valid point ID, which is an unsigned integer or a UUID"
        raise RefusedError(HTTPStatus.BAD_REQUEST, text) from None


def _order(key: PointId) -> tuple[bool, PointId]:
    """Numbers before UUIDs."""
    return isinstance(key, str), key


def _unit(vector: Sequence[float], size: int) -> list[float]:
    """A vector in single precision, scaled to length 1 unless it is zero."""
    if len(vector) != size:
        text = f"Wrong input: Vector dimension error: expected dim: {size}, got {len(vector)}"
        raise RefusedError(HTTPStatus.BAD_REQUEST, text)
    length = math.sqrt(dot(vector, vector))
    return array("f", (value / length for value in vector) if length else vector).tolist()


def _matches(payload: Mapping[str, Any], conditions: Mapping[str, Any]) -> bool:
    return all(
        value in there if isinstance(there := payload.get(key), list) else there == value
        for key, value in conditions.items()
    )
