"""A stand-in for Qdrant: the calls of its REST API that the Autopack stack makes, and no others.

Listens on QDRANT__SERVICE__HTTP_PORT (6333), keeps its data in QDRANT__STORAGE__STORAGE_PATH (./storage), and, when
QDRANT__SERVICE__API_KEY is set, answers only those who send it, as Qdrant 1.12 does.
"""

from __future__ import annotations

import hmac
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

sys.path.insert(0, str(Path(__file__).parent))

from store import Point, RefusedError, Store, point_id  # it lies beside this file, wherever that is

VERSION = "1.12.5"
TITLE = "stand-in for Qdrant (not Qdrant): a part of its REST API"
MOST_BYTES = 32 * 1024 * 1024
PROBES = {"/healthz": "healthz check passed", "/livez": "healthz check passed", "/readyz": "all shards are ready"}
Body = Mapping[str, Any]
Call = Callable[[Store, str, Body], Any]


def create(store: Store, name: str, body: Body) -> bool:
    vectors = body.get("vectors")
    if not isinstance(vectors, Mapping) or vectors.get("distance") != "Cosine":
        raise _not_here("collections other than of one unnamed vector with Cosine distance")
    _only(body, "vectors")
    _only(vectors, "size", "distance", "on_disk")
    store.create(name, int(vectors.get("size", 0)))
    return True


def describe(store: Store, name: str, _: Body) -> Body:
    size, count = store.size_and_count(name)
    return {
        "status": "green",
        "optimizer_status": "ok",
        "points_count": count,
        "indexed_vectors_count": 0,
        "segments_count": 1,
        "config": {"params": {"vectors": {"size": size, "distance": "Cosine"}}},
        "payload_schema": {},
    }


def upsert(store: Store, name: str, body: Body) -> Body:
    _only(body, "points")
    points = [(point_id(one.get("id")), one["vector"], one.get("payload") or {}) for one in body["points"]]
    return _done(store.upsert(name, points))


def delete(store: Store, name: str, body: Body) -> Body:
    _only(body, "points")
    return _done(store.delete(name, [point_id(one) for one in body["points"]]))


def query(store: Store, name: str, body: Body) -> Body:
    _only(body, "query", "limit", "filter", "score_threshold", "with_payload", "with_vector")
    vector = body.get("query")
    if not isinstance(vector, list):
        raise _not_here("queries other than by a vector")
    threshold = body.get("score_threshold")
    found = store.nearest(name, vector, int(body.get("limit", 10)), _conditions(body.get("filter")), threshold)
    return {"points": [{**_shown(one, body, payload=False), "score": score} for score, one in found]}


def scroll(store: Store, name: str, body: Body) -> Body:
    _only(body, "offset", "limit", "with_payload", "with_vector")
    offset = body.get("offset")
    first = None if offset is None else point_id(offset)
    points, following = store.page(name, first, int(body.get("limit", 10)))
    return {"points": [_shown(one, body, payload=True) for one in points], "next_page_offset": following}


def count(store: Store, name: str, body: Body) -> Body:
    _only(body, "exact")
    return {"count": store.size_and_count(name)[1]}


CALLS: Mapping[tuple[str, str], Call] = {
    ("PUT", ""): create,
    ("GET", ""): describe,
    ("DELETE", ""): lambda store, name, _: store.drop(name),
    ("GET", "/exists"): lambda store, name, _: {"exists": store.exists(name)},
    ("PUT", "/points"): upsert,
    ("POST", "/points/delete"): delete,
    ("POST", "/points/query"): query,
    ("POST", "/points/scroll"): scroll,
    ("POST", "/points/count"): count,
}


def answer(store: Store, method: str, path: str, body: Body) -> Any:
    """The result of a call. Raises RefusedError, with 501 for what only Qdrant itself can do."""
    if (method, path) == ("GET", "/collections"):
        return {"collections": [{"name": name} for name in store.names()]}
    found = re.fullmatch(r"/collections/([^/]+)(/.+)?", path)
    call = CALLS.get((method, found[2] or "")) if found else None
    if not found or not call:
        raise _not_here(f"{method} {path}")
    try:
        return call(store, unquote(found[1]), body)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"Format error in JSON body: {error!r}") from error


def _not_here(what: str) -> RefusedError:
    return RefusedError(HTTPStatus.NOT_IMPLEMENTED, f"this is a stand-in for Qdrant, which has no {what}")


def _only(body: Body, *known: str) -> None:
    """Refuse options that would be left out of account: an answer to another question is worse than none."""
    for name, value in body.items():
        if name not in known and value is not None:
            raise _not_here(f"option {name}")


def _conditions(raw: Body | None) -> Body:
    """`{"must": [{"key": K, "match": {"value": V}}, …]}` as the payload that is wanted."""
    _only(raw or {}, "must")
    conditions = {}
    for one in (raw or {}).get("must") or ():
        _only(one, "key", "match")
        _only(one["match"], "value")
        conditions[one["key"]] = one["match"]["value"]
    return conditions


def _done(operation: int) -> Body:
    return {"operation_id": operation, "status": "completed"}


def _shown(point: Point, body: Body, *, payload: bool) -> dict[str, Any]:
    """A point as far as it was asked for; `payload` is whether it comes unasked."""
    shown: dict[str, Any] = {"id": point.id, "version": point.version}
    if body.get("with_payload", payload):
        shown["payload"] = point.payload
    if body.get("with_vector"):
        shown["vector"] = point.vector
    return shown


class Handler(BaseHTTPRequestHandler):
    """One connection, kept open for more than one request."""

    protocol_version = "HTTP/1.1"
    timeout = 75
    wbufsize = -1  # head and body in one packet: two would wait for each other on a connection that is kept
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/":
            self._send(HTTPStatus.OK, {"title": TITLE, "version": VERSION})
        elif path in PROBES:
            self._send(HTTPStatus.OK, PROBES[path])
        else:
            self._call(path)

    def do_POST(self) -> None:
        self._call(urlsplit(self.path).path)

    do_PUT = do_DELETE = do_POST  # noqa: N815  # names that http.server looks up

    def _call(self, path: str) -> None:
        began = time.monotonic()
        try:
            body = self._body()
            self._require_key()
            result = answer(self.server.store, self.command, path, body)
        except RefusedError as error:
            status, told = error.status, {"status": {"error": str(error)}}
            print(f"{self.command} {path} {status.value} {error}", flush=True)  # noqa: T201  # the log
        else:
            status, told = HTTPStatus.OK, {"result": result, "status": "ok"}
        self._send(status, {**told, "time": time.monotonic() - began})

    def _body(self) -> Body:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST_BYTES:
            self.close_connection = True
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Payload error: more than {MOST_BYTES} bytes")
        try:
            body = json.loads(self.rfile.read(length) or b"{}")
        except ValueError as error:
            raise RefusedError(HTTPStatus.BAD_REQUEST, f"Format error in JSON body: {error}") from error
        if not isinstance(body, Mapping):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "Format error in JSON body: not an object")
        return body

    def _require_key(self) -> None:
        given = self.headers.get("api-key") or self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.server.api_key and not hmac.compare_digest(given.encode(), self.server.api_key.encode()):
            raise RefusedError(HTTPStatus.UNAUTHORIZED, "Must provide an API key or an Authorization bearer token")

    def _send(self, status: HTTPStatus, content: Body | str) -> None:
        text = content if isinstance(content, str) else json.dumps(content)
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(content, str) else "application/json")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Requests that went well are not logged: the probes alone would fill it."""


class Server(ThreadingHTTPServer):
    """Listens. `api_key` is empty when anybody may call."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], store: Store, api_key: str) -> None:
        super().__init__(address, Handler)
        self.store = store
        self.api_key = api_key


def main() -> None:
    storage = Path(os.environ.get("QDRANT__STORAGE__STORAGE_PATH", "storage"))
    port = int(os.environ.get("QDRANT__SERVICE__HTTP_PORT", "6333"))
    store = Store(storage)
    server = Server(("0.0.0.0", port), store, os.environ.get("QDRANT__SERVICE__API_KEY", ""))  # noqa: S104  # a container's
    # from a thread of its own, as shutdown() waits for the loop that the signal has interrupted
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    signal.signal(signal.SIGINT, signal.getsignal(signal.SIGTERM))
    held = {name: store.size_and_count(name)[1] for name in store.names()}
    print(f"This is a {TITLE}.", flush=True)  # noqa: T201
    print(f"Listening on port {port}; {storage} holds {held or 'no collections'}.", flush=True)  # noqa: T201
    server.serve_forever()
    store.close()


if __name__ == "__main__":
    main()
