from __future__ import annotations

import time
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text

from autopack.version import APP_VERSION


def remember(client: TestClient, content: str, **more: str) -> dict[str, str]:
    answer = client.post("/api/memories", json={"text": content, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, str] = answer.json()
    return found


def search(client: TestClient, about: str, **more: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = client.get("/api/memories/search", params={"q": about, **more}).json()
    return found


def test_health_and_version(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok", "version": APP_VERSION}
    assert client.get("/api/version").json() == {"version": APP_VERSION}


def test_a_memory_is_found_by_what_it_is_about_with_its_score(client: TestClient) -> None:
    made = remember(client, "  Back off before an upload is retried ", kind="decision")
    remember(client, "Feature flags are read at start")
    found = search(client, "retrying uploads")
    assert [one["text"] for one in found] == ["Back off before an upload is retried"]
    assert found[0]["id"] == made["id"]
    assert 0.15 < float(found[0]["score"]) < 1
    assert made["indexed"]
    assert search(client, "retrying uploads", kind="error") == []


def test_the_newest_memories_come_first_and_can_be_forgotten(client: TestClient) -> None:
    first, second = remember(client, "First"), remember(client, "Second")
    assert [one["id"] for one in client.get("/api/memories").json()] == [second["id"], first["id"]]
    assert client.delete(f"/api/memories/{first['id']}").status_code == 204
    assert client.delete(f"/api/memories/{first['id']}").status_code == 404
    assert [one["id"] for one in client.get("/api/memories").json()] == [second["id"]]


def test_a_run_starts_with_what_is_known_about_its_goal(client: TestClient) -> None:
    remember(client, "The browser test was flaky until it waited for the page")
    run = client.post("/api/runs", json={"goal": "Mend the flaky browser test"}).json()
    assert [one["text"] for one in run["recalled"]] == ["The browser test was flaky until it waited for the page"]
    assert client.get("/api/runs").json()[0]["id"] == run["id"]


def test_what_a_run_taught_is_remembered_with_it(client: TestClient) -> None:
    run = client.post("/api/runs", json={"goal": "Shrink the image"}).json()
    end = {"status": "failed", "learned": "Alpine has no wheels for that library"}
    ended = client.patch(f"/api/runs/{run['id']}", json=end).json()
    assert (ended["status"], bool(ended["finished_at"])) == ("failed", True)
    learned = search(client, "alpine wheels")[0]
    assert (learned["kind"], learned["run_id"]) == ("error", run["id"])
    again = client.patch(f"/api/runs/{run['id']}", json={"status": "succeeded"})
    assert (again.status_code, again.json()["detail"]) == (409, "a run that failed cannot become succeeded")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/memories", {"text": "   "}, 422),
        ("POST", "/api/memories", {"text": "x" * 2001}, 422),
        ("POST", "/api/memories", {"text": "a\0b"}, 422),
        ("POST", "/api/memories", {"text": "x", "kind": "rumour"}, 422),
        ("POST", "/api/memories", {"text": "x", "run_id": str(uuid4())}, 404),
        ("GET", "/api/memories/search?q=", None, 422),
        ("GET", "/api/memories?limit=101", None, 422),
        ("GET", f"/api/runs/{uuid4()}", None, 404),
        ("GET", "/api/nothing", None, 404),
    ],
)
def test_wrong_questions(client: TestClient, method: str, path: str, body: object, status: int) -> None:
    assert client.request(method, path, json=body).status_code == status


def test_vectors_come_back_by_themselves(client: TestClient, engine: Engine) -> None:
    """As after a restored backup: rows appear that this process has not written."""
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO memories (kind, text) VALUES ('lesson', 'Restored from a backup')"))
    until = time.monotonic() + 10
    while not search(client, "restored backup") and time.monotonic() < until:
        time.sleep(0.05)
    assert [one["text"] for one in search(client, "restored backup")] == ["Restored from a backup"]


def test_without_the_database_the_answer_is_503_and_tells_nothing(client: TestClient, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE memories RENAME TO secret_name"))
    answer = client.get("/api/memories")
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE secret_name RENAME TO memories"))
    assert (answer.status_code, answer.json()) == (503, {"detail": "the database does not answer"})
