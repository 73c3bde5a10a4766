"""The vector memory: what is asked of Qdrant over its REST API (version 1.12)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from itertools import batched
from typing import Any
from uuid import UUID

import httpx

from autopack.embedding import DIMENSIONS, NAME

BATCH = 256
TIMEOUT_S = 5.0


class VectorError(Exception):
    """Qdrant could not be reached or refused. The text says which."""


class Vectors:
    """One collection, whose name says how its vectors were made: releases that differ in that use different ones."""

    def __init__(self, url: str, api_key: str = "", prefix: str = "memory") -> None:
        headers = {"api-key": api_key} if api_key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S)
        self.collection = f"{prefix}-{NAME}-{DIMENSIONS}"

    def close(self) -> None:
        self._http.close()

    def ensure(self) -> None:
        """Make the collection unless it is there. Somebody else may do so at the same time."""
        if not self._call("GET", "/exists")["exists"]:
            body = {"vectors": {"size": DIMENSIONS, "distance": "Cosine"}}
            self._call("PUT", "", body, allowed=(HTTPStatus.CONFLICT,))

    def put(self, points: Iterable[tuple[UUID, Sequence[float], Mapping[str, str]]]) -> None:
        """Store vectors with their payload, in the place of earlier ones of the same ids."""
        for some in batched(points, BATCH):
            rows = [{"id": str(key), "vector": [*vector], "payload": payload} for key, vector, payload in some]
            self._call("PUT", "/points?wait=true", {"points": rows})

    def remove(self, ids: Iterable[UUID]) -> None:
        for some in batched(ids, BATCH):
            self._call("POST", "/points/delete?wait=true", {"points": [str(key) for key in some]})

    def nearest(
        self, vector: Sequence[float], limit: int, least: float, payload: Mapping[str, str]
    ) -> list[tuple[UUID, float]]:
        """Ids with their cosine similarity of `least` or more, best first, among points that have such a payload."""
        must = [{"key": key, "match": {"value": value}} for key, value in payload.items()]
        body = {"query": [*vector], "limit": limit, "score_threshold": least, "filter": {"must": must}}
        return [(UUID(one["id"]), one["score"]) for one in self._call("POST", "/points/query", body)["points"]]

    def ids(self) -> Iterator[UUID]:
        """Of every point."""
        offset = None
        while True:
            body = {"limit": 1000, "offset": offset, "with_payload": False, "with_vector": False}
            page = self._call("POST", "/points/scroll", body)
            yield from (UUID(one["id"]) for one in page["points"])
            offset = page["next_page_offset"]
            if offset is None:
                return

    def drop(self) -> None:
        """Remove the collection with everything in it."""
        self._call("DELETE", "")

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, allowed: Sequence[HTTPStatus] = ()
    ) -> Any:
        """The result of a call on the collection. Raises VectorError for all but 200 and the statuses allowed."""
        try:
            answer = self._http.request(method, f"/collections/{self.collection}{path}", json=body)
        except httpx.HTTPError as error:
            raise VectorError(f"Qdrant cannot be reached: {error!r}") from error
        if answer.status_code in {HTTPStatus.OK, *allowed}:
            return answer.json().get("result")
        raise VectorError(f"Qdrant answered {method} {path} with {answer.status_code}: {answer.text[:300]}")
