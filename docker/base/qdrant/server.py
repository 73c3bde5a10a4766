"""A stand-in for Qdrant: the calls of its REST API that the Autopack stack makes, and no others.

Listens on QDRANT__SERVICE__HTTP_PORT (6333), keeps its data in QDRANT__STORAGE__STORAGE_PATH (./storage), and, when
QDRANT__SERVICE__API_KEY is set, answers only those who send it, as Qdrant 1.12 does.
"""

from __future__ import annotations

import hashlib
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


def take_snapshot(store: Store, name: str, body: Body) -> Body:
    _only(body)
    return _described(*store.take_snapshot(name))


def list_snapshots(store: Store, name: str, _: Body) -> list[Body]:
    return [_described(snapshot, content) for snapshot, content in store.snapshots(name).items()]


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
    ("POST", "/snapshots"): take_snapshot,
    ("GET", "/snapshots"): list_snapshots,
}


def answer(store: Store, method: str, path: str, body: Body) -> Any:
    """The result of a call. Raises RefusedError, with 501 for what only Qdrant itself can do."""
    if (method, path) == ("GET", "/collections"):
        return {"collections": [{"name": name} for name in store.names()]}
    found = re.fullmatch(r"/collections/([^/]+)(/.+)?", path)
    if found and method == "DELETE" and (snapshot := re.fullmatch(r"/snapshots/([^/]+)", found[2] or "")):
        return store.drop_snapshot(unquote(found[1]), unquote(snapshot[1]))
    call = CALLS.get((method, found[2] or "")) if found else None
    if not found or not call:
        raise _not_here(f"{method} {path}")
    try:
        return call(store, unquote(found[1]), body)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"Format error in JSON body: {error!r}") from error


def _described(snapshot: str, content: bytes) -> Body:
    return {"name": snapshot, "size": len(content), "checksum": hashlib.sha256(content).hexdigest()}


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
        elif found := re.fullmatch(r"/collections/([^/]+)/snapshots/([^/]+)", path):
            self._answer(path, lambda: self.server.store.snapshot(unquote(found[1]), unquote(found[2])))
        else:
            self._call(path)

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        if found := re.fullmatch(r"/collections/([^/]+)/snapshots/upload", path):
            self._answer(path, lambda: self.server.store.recover(unquote(found[1]), self._file()))
        else:
            self._call(path)

    do_PUT = do_DELETE = do_POST  # noqa: N815  # names that http.server looks up

    def _call(self, path: str) -> None:
        self._answer(path, lambda: answer(self.server.store, self.command, path, self._body()))

    def _answer(self, path: str, call: Callable[[], Any]) -> None:
        began = time.monotonic()
        try:
            self._require_key()
            result = call()
        except RefusedError as error:
            status, told = error.status, {"status": {"error": str(error)}}
            print(f"{self.command} {path} {status.value} {error}", flush=True)  # noqa: T201  # the log
        else:
            if isinstance(result, bytes):
                self._send_bytes(HTTPStatus.OK, "application/octet-stream", result)
                return
            status, told = HTTPStatus.OK, {"result": result, "status": "ok"}
        self._send(status, {**told, "time": time.monotonic() - began})

    def _content(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST_BYTES:
            self.close_connection = True
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Payload error: more than {MOST_BYTES} bytes")
        return self.rfile.read(length)

    def _file(self) -> bytes:
        """The only file of a form."""
        edge = re.search(r'boundary="?([^";]+)', self.headers.get("Content-Type", ""))
        parts = self._content().split(f"--{edge[1]}".encode()) if edge else []
        if len(parts) != 3:  # noqa: PLR2004  # before the file, the file, after it
            raise RefusedError(HTTPStatus.BAD_REQUEST, "Format error: not a form with one file")
        return parts[1].partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")

    def _body(self) -> Body:
        try:
            body = json.loads(self._content() or b"{}")
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
        if isinstance(content, str):
            self._send_bytes(status, "text/plain", content.encode())
        else:
            self._send_bytes(status, "application/json", json.dumps(content).encode())

    def _send_bytes(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

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
