"""The stand-in for Qdrant, over its REST API: what it stands for is in Qdrant's own documentation of version 1.12."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.engine.bases import recipe_folder
from deploy.model.kinds import Kind, classify

FOLDER = recipe_folder() / "qdrant"
UUID = "6f1c1bb2-0f3f-4f8e-9b57-0d6a6f0b6b11"


@pytest.fixture(scope="module")
def stand_in() -> Iterator[Any]:
    """Its modules, as they stand in the image."""
    spec = importlib.util.spec_from_file_location("qdrant_stand_in", FOLDER / "server.py")
    assert spec
    assert spec.loader
    path = [*sys.path]
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = path
    del sys.modules["store"]


@dataclass
class Client:
    """Calls the API. What it answers is its status, and the result or the error."""

    port: int
    key: str = ""

    def get(self, path: str) -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"api-key": self.key})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def upload(self, path: str, content: bytes) -> tuple[int, Any]:
        """As the file of a form."""
        head = b'--edge\r\nContent-Disposition: form-data; name="snapshot"; filename="s"\r\n\r\n'
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            head + content + b"\r\n--edge--\r\n",
            {"api-key": self.key, "Content-Type": "multipart/form-data; boundary=edge"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)["result"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            None if body is None else json.dumps(body).encode(),
            {"api-key": self.key, "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)["result"]
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)["status"]["error"]

    def query(self, vector: list[float], **more: object) -> list[tuple[Any, float]]:
        status, result = self.call("POST", "/collections/c/points/query", {"query": vector, **more})
        assert status == 200, result
        return [(one["id"], round(one["score"], 3)) for one in result["points"]]


@contextmanager
def serving(stand_in: Any, folder: Path, key: str = "") -> Iterator[Client]:
    store = stand_in.Store(folder)
    server = stand_in.Server(("127.0.0.1", 0), store, key)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Client(server.server_address[1], key)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        store.close()


@pytest.fixture
def client(stand_in: Any, tmp_path: Path) -> Iterator[Client]:
    """With a collection `c` of three points."""
    with serving(stand_in, tmp_path) as started:
        assert started.call("PUT", "/collections/c", {"vectors": {"size": 2, "distance": "Cosine"}}) == (200, True)
        points = [
            {"id": UUID, "vector": [3, 4], "payload": {"kind": "lesson", "tags": ["a", "b"]}},
            {"id": 7, "vector": [0, 2], "payload": {"kind": "error"}},
            {"id": 2, "vector": [-1, 0]},
        ]
        status, result = started.call("PUT", "/collections/c/points?wait=true", {"points": points})
        assert (status, result["status"]) == (200, "completed")
        yield started


def test_it_says_that_it_is_not_qdrant(client: Client) -> None:
    assert json.loads(client.get("/")[1]) == {
        "title": "stand-in for Qdrant (not Qdrant): a part of its REST API",
        "version": "1.12.5",
    }
    assert client.get("/readyz") == (200, "all shards are ready")
    assert client.get("/healthz")[0] == 200


def test_the_nearest_come_first_with_their_cosine_similarity(client: Client) -> None:
    assert client.query([10, 0]) == [(UUID, 0.6), (7, 0.0), (2, -1.0)]
    assert client.query([0, 1], limit=1) == [(7, 1.0)]
    assert client.query([10, 0], score_threshold=0.5) == [(UUID, 0.6)]


def test_a_filter_leaves_only_points_with_such_a_payload(client: Client) -> None:
    def wanting(key: str, value: str) -> dict[str, Any]:
        return {"must": [{"key": key, "match": {"value": value}}]}

    assert client.query([1, 0], filter=wanting("kind", "error")) == [(7, 0.0)]
    assert client.query([1, 0], filter=wanting("tags", "b")) == [(UUID, 0.6)]
    assert client.query([1, 0], filter=wanting("kind", "nothing")) == []


def test_payload_and_vector_come_when_they_are_asked_for(client: Client) -> None:
    body = {"query": [1, 0], "limit": 1, "with_payload": True, "with_vector": True}
    point = client.call("POST", "/collections/c/points/query", body)[1]["points"][0]
    assert point["payload"] == {"kind": "lesson", "tags": ["a", "b"]}
    assert point["vector"] == pytest.approx([0.6, 0.8])


def test_an_upsert_replaces_the_point_of_that_id(client: Client) -> None:
    client.call("PUT", "/collections/c/points", {"points": [{"id": 7, "vector": [1, 0]}]})
    assert client.query([1, 0], limit=1) == [(7, 1.0)]
    assert client.call("POST", "/collections/c/points/count", {"exact": True}) == (200, {"count": 3})


def test_deleted_points_are_gone_and_ids_that_are_not_there_are_no_error(client: Client) -> None:
    assert client.call("POST", "/collections/c/points/delete?wait=true", {"points": [UUID, 99]})[0] == 200
    assert [key for key, _ in client.query([1, 0])] == [7, 2]


def test_scrolling_goes_through_all_points_page_by_page(client: Client) -> None:
    pages: list[tuple[list[Any], Any]] = []
    offset = None
    while not pages or offset is not None:
        body = {"limit": 2, "offset": offset, "with_payload": False}
        result = client.call("POST", "/collections/c/points/scroll", body)[1]
        offset = result["next_page_offset"]
        pages.append(([one["id"] for one in result["points"]], offset))
    assert pages == [([2, 7], UUID), ([UUID], None)]


def test_collections_can_be_listed_described_and_removed(client: Client) -> None:
    assert client.call("GET", "/collections") == (200, {"collections": [{"name": "c"}]})
    described = client.call("GET", "/collections/c")[1]
    assert described["points_count"] == 3
    assert described["config"]["params"]["vectors"] == {"size": 2, "distance": "Cosine"}
    assert client.call("DELETE", "/collections/c") == (200, True)
    assert client.call("GET", "/collections/c/exists") == (200, {"exists": False})
    assert client.call("DELETE", "/collections/c") == (200, False)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("GET", "/collections/x", None, 404, "Collection `x` doesn't exist!"),
        ("POST", "/collections/x/points/query", {"query": [1, 0]}, 404, "doesn't exist!"),
        ("PUT", "/collections/c", {"vectors": {"size": 2, "distance": "Cosine"}}, 409, "already exists!"),
        ("PUT", "/collections/d", {"vectors": {"size": 0, "distance": "Cosine"}}, 422, "Validation error"),
        ("PUT", "/collections/c/points", {"points": [{"id": 1, "vector": [1]}]}, 400, "expected dim: 2, got 1"),
        ("PUT", "/collections/c/points", {"points": [{"id": "x", "vector": [1, 0]}]}, 400, "not a valid point ID"),
        ("PUT", "/collections/c/points", {"points": [{"id": 1}]}, 400, "Format error"),
        ("PUT", "/collections/c/points", {"points": [{"id": 1, "vector": ["a", 0]}]}, 400, "Format error"),
        ("PUT", "/collections/c/points", [], 400, "not an object"),
        ("PUT", "/collections/d", {"vectors": {"size": 2, "distance": "Dot"}}, 501, "Cosine"),
        ("POST", "/collections/c/points/query", {"query": [1, 0], "prefetch": {}}, 501, "option prefetch"),
        ("POST", "/collections/c/points/query", {"query": 7}, 501, "queries other than by a vector"),
        ("POST", "/collections/c/points/query", {"query": [1, 0], "filter": {"should": []}}, 501, "option should"),
        ("POST", "/collections/c/points/recommend", {}, 501, "stand-in"),
        ("GET", "/cluster", None, 501, "stand-in"),
    ],
)
def test_what_it_cannot_do_it_refuses(
    client: Client, method: str, path: str, body: object, status: int, error: str
) -> None:
    got = client.call(method, path, body)
    assert (got[0], error in got[1]) == (status, True), got
    assert len(client.query([1, 0])) == 3, "nothing was changed"


def test_points_outlive_the_process(stand_in: Any, client: Client, tmp_path: Path) -> None:
    """Read by a second process while the first has not even closed its file: as after a kill."""
    before = client.query([1, 0])
    with serving(stand_in, tmp_path) as again:
        assert again.query([1, 0]) == before


def test_with_a_key_only_those_who_send_it_are_answered(stand_in: Any, tmp_path: Path) -> None:
    with serving(stand_in, tmp_path, "secret") as client:
        assert client.call("GET", "/collections")[0] == 200
        stranger = Client(client.port, "guess")
        assert stranger.call("GET", "/collections")[0] == 401
        assert stranger.get("/readyz")[0] == 200, "probes need no key"


def test_the_image_that_it_stands_for_keeps_state() -> None:
    definition = {"image": "qdrant/qdrant:v1.12.5-unprivileged", "ports": [{"target": 6333, "published": "6333"}]}
    assert classify("qdrant", definition, {"services": {"qdrant": definition}})[0] == Kind.DATA


def test_a_snapshot_brings_a_collection_back_under_any_name(client: Client) -> None:
    status, made = client.call("POST", "/collections/c/snapshots")
    assert status == 200
    path = f"/collections/c/snapshots/{made['name']}"
    content = client.get(path)[1].encode()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (made["size"], made["checksum"])
    assert [one["name"] for one in client.call("GET", "/collections/c/snapshots")[1]] == [made["name"]]
    client.call("POST", "/collections/c/points/delete", {"points": [UUID]})

    for name in ("c", "other"):
        assert client.upload(f"/collections/{name}/snapshots/upload?priority=snapshot", content) == (200, True)
        assert client.call("POST", f"/collections/{name}/points/count", {"exact": True}) == (200, {"count": 3})
    assert client.query([10, 0]) == [(UUID, 0.6), (7, 0.0), (2, -1.0)]

    assert client.call("DELETE", path) == (200, True)
    assert client.get(path)[0] == 404
    assert client.upload("/collections/c/snapshots/upload", content[:-20])[0] == 400
    assert client.call("POST", "/collections/c/points/count", {"exact": True}) == (200, {"count": 3})
