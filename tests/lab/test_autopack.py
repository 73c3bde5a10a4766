"""Autopack on a host: what every stack goes through, and that its vector memory lives through all of it."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from email.message import Message

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.select import Select

from tests.lab.conftest import RemoteHost
from tests.lab.stack_story import TO_SANDBOX, StackStory
from tests.load import Request
from tests.project import Project, eventually
from tests.reference import Reference
from tests.stack.browser import complaints, shown

VERSION = "apps/autopack/backend/autopack/version.py"
AUTOPACK = Reference(
    name="autopack",
    page="/",
    shows="<title>Autopack</title>",
    port=80,
    dev_ports=("FRONTEND_PORT", "BACKEND_PORT", "DB_PORT_HOST", "QDRANT_PORT_HOST"),
    requests=(
        Request("/"),
        Request("/api/version"),
        Request("/api/memories/search?q=retried+uploads"),
        # always the same: a number in it is hashed to anything, among hundreds even to what a question is about
        Request("/api/memories", lambda _: json.dumps({"text": "The release went out"})),
    ),
    change=(VERSION, '"1.0.0"', '"1.1.0"'),
    changed=("/api/version", "1.1.0"),
    count="SELECT count(*) FROM memories",
    destroy="TRUNCATE memories",
)

LESSONS = (
    "Back off before an upload is retried, or the queue floods",
    "Pin the compiler before the wheel is built",
    "A browser test is flaky until it waits for the page",
)
QUESTION = "retrying uploads"
DECISION = "One compiler builds every wheel"
TASK = "compiling a wheel"
"""The decision is more similar to it than the lesson about compilers, and nothing else is similar at all."""
POLICY = "Content Security Policy"
Found = list[tuple[str, str, float]]


def post(host: RemoteHost, path: str, body: object) -> None:
    request = urllib.request.Request(
        f"http://{host.address}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 201


def in_qdrant(project: Project, host: RemoteHost, call: str) -> str:
    """The answer to a call with the key that the server itself has."""
    script = (
        "exec 3<>/dev/tcp/127.0.0.1/6333; "
        f'printf "{call} HTTP/1.0\\r\\napi-key: $QDRANT__SERVICE__API_KEY\\r\\n\\r\\n" >&3; cat <&3'
    )
    answer = host.run("docker", "exec", f"{project.name}-data-qdrant-1", "bash", "-c", script)
    return answer.rpartition("\n")[2]


def head(host: RemoteHost, path: str) -> tuple[int, Message]:
    """Status and header fields of an answer."""
    try:
        with urllib.request.urlopen(f"http://{host.address}{path}", timeout=30) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers


def search(host: RemoteHost, about: str) -> Found:
    """What is similar to a question, most similar first: id, text and score of each."""
    status, answer = host.get(f"/api/memories/search?{urllib.parse.urlencode({'q': about})}")
    if status != 200:
        raise ValueError(answer)
    return [(one["id"], one["text"], one["score"]) for one in json.loads(answer)]


def listed(browser: WebDriver) -> list[str]:
    """The memories that the page shows, in its order."""
    return _texts(browser, ".memories li > p:first-child")


def found(browser: WebDriver) -> list[str]:
    """Those it shows with how similar they are."""
    return _texts(browser, ".memories li:has(meter) > p:first-child")


def _texts(browser: WebDriver, selector: str) -> list[str]:
    # in one step: the list may be another one a moment later
    script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)"
    return [str(text) for text in browser.execute_script(script, selector)]


def remember(browser: WebDriver, kind: str, text: str) -> None:
    """By the page's form. What is above it must be there already, or the button moves away."""
    browser.find_element(By.NAME, "text").send_keys(text)
    Select(browser.find_element(By.NAME, "kind")).select_by_visible_text(kind)
    browser.find_element(By.XPATH, "//button[text()='Add memory']").click()


def enter(browser: WebDriver, field: str, text: str) -> None:
    """A question into field q, or the goal of a new run into field goal."""
    browser.find_element(By.NAME, field).send_keys(text, Keys.ENTER)


class TestAutopack(StackStory):
    """The tests build on each other; what every stack goes through comes first."""

    reference = AUTOPACK
    stores = frozenset({"db/autopack", "qdrant/memory-hashed-ngrams-1-256"})

    def lose(self, project: Project, host: RemoteHost) -> None:
        for collection in json.loads(in_qdrant(project, host, "GET /collections"))["result"]["collections"]:
            in_qdrant(project, host, f"DELETE /collections/{collection['name']}")

    def has(self, project: Project, host: RemoteHost) -> bool:  # noqa: ARG002  # the search tells
        return search(host, QUESTION)[0][1] == LESSONS[0]

    @pytest.fixture(scope="class")
    @classmethod
    def remembered(cls, released: RemoteHost) -> Found:
        """What a search finds on a new host that was told three things."""
        for lesson in LESSONS:
            post(released, "/api/memories", {"text": lesson})
        found = search(released, QUESTION)
        assert [text for _, text, _ in found] == [LESSONS[0]]
        return found

    @pytest.fixture(autouse=True)
    def the_same_is_found_after_every_step(self, released: RemoteHost, remembered: Found) -> Iterator[None]:
        """The very id and score, before all that users have added since. Vectors follow a restore within seconds."""
        yield
        eventually(lambda: search(released, QUESTION)[:1] == remembered)

    def test_the_search_is_by_what_a_text_is_about(self, released: RemoteHost) -> None:
        assert search(released, "flaky browsers")[0][1] == LESSONS[2]
        assert search(released, "which compiler version?")[0][1] == LESSONS[1]
        assert not {text for _, text, _ in search(released, "zebra crossing")} & {*LESSONS}

    def test_every_answer_carries_the_security_headers(self, released: RemoteHost) -> None:
        style = next(word for word in released.get("/")[1].split('"') if word.startswith("/assets/"))
        for path, expected, cache in (
            ("/", 200, "no-cache"),
            ("/runs/1", 200, "no-cache"),
            (style, 200, "public, max-age=31536000, immutable"),
            ("/api/version", 200, "no-store"),
            ("/assets/missing.js", 404, None),
            ("/api/missing", 404, None),
        ):
            status, fields = head(released, path)
            assert (status, fields["Cache-Control"]) == (expected, cache), path
            assert "default-src 'none'; script-src 'self'" in fields["Content-Security-Policy"], path
            assert fields["X-Content-Type-Options"] == "nosniff", path
            assert fields["X-Frame-Options"] == "DENY", path
            assert fields["Strict-Transport-Security"] is None, "over plain HTTP"

    def test_the_page_finds_in_a_browser_what_was_stored_there(self, released: RemoteHost, browser: WebDriver) -> None:
        browser.get(f"http://{released.address}/")
        eventually(lambda: listed(browser))
        remember(browser, "decision", DECISION)
        eventually(lambda: listed(browser)[0] == DECISION)
        assert found(browser) == [], "the newest, not searched for"

        enter(browser, "q", TASK)
        eventually(lambda: found(browser) == [DECISION, LESSONS[1]])
        assert "Autopack 1.0.0" in shown(browser)

        enter(browser, "goal", TASK)
        eventually(lambda: "What is known about it" in shown(browser))
        browser.refresh()
        eventually(lambda: found(browser) == [DECISION, LESSONS[1]])
        assert browser.find_element(By.TAG_NAME, "h1").text == TASK
        assert [line for line in complaints(browser) if POLICY in line] == []

    def test_the_page_runs_no_script_but_its_own(self, released: RemoteHost, browser: WebDriver) -> None:
        """And the browser does complain of one, so that no complaint before means something."""
        browser.get(f"http://{released.address}/")
        browser.execute_script(
            "const script = document.createElement('script');"
            "script.textContent = 'window.stranger = true';"
            "document.head.append(script);"
        )

        eventually(lambda: any(POLICY in line for line in complaints(browser)))
        assert browser.execute_script("return window.stranger ?? false") is False

    def test_production_is_hardened(self, project: Project, released: RemoteHost) -> None:
        live = {name: one for name, one in released.containers(project.name).items() if "-edge-" not in name}
        assert len(live) == 4
        for name, container in live.items():
            details = json.loads(released.run("docker", "container", "inspect", container))[0]
            host = details["HostConfig"]
            assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"]), name
            assert host["Memory"], name
            assert not host["PortBindings"], name
            assert details["State"]["Health"]["Status"] == "healthy", name
            if "-db-" not in name:
                assert released.run("docker", "exec", container, "id", "-u") != "0", name

    def test_the_databases_are_out_of_the_proxys_reach(self, project: Project, released: RemoteHost) -> None:
        proxy = next(name for name in released.containers(f"{project.name}-2") if "-frontend-" in name)
        for name in ("db", "qdrant"):
            assert released.run("docker", "exec", proxy, "getent", "hosts", name, check=False) == ""
        assert released.run("docker", "exec", proxy, "getent", "hosts", "backend") != ""

    def test_qdrant_wants_its_key_and_says_what_it_is(self, project: Project, released: RemoteHost) -> None:
        backend = next(name for name in released.containers(f"{project.name}-2") if "-backend-" in name)
        ask = "import httpx; r = httpx.get('http://qdrant:6333{}'); print(r.status_code, r.text)"
        assert released.run("docker", "exec", backend, "python", "-c", ask.format("/collections"))[:3] == "401"
        assert "stand-in for Qdrant (not Qdrant)" in released.run(
            "docker", "exec", backend, "python", "-c", ask.format("/")
        )
        assert "This is a stand-in for Qdrant" in released.run("docker", "logs", f"{project.name}-data-qdrant-1")

    def test_vectors_outlive_a_killed_qdrant_and_only_the_search_misses_it(
        self, project: Project, released: RemoteHost, remembered: Found
    ) -> None:
        qdrant = f"{project.name}-data-qdrant-1"
        released.run("docker", "kill", qdrant)
        assert released.get("/api/memories/search?q=uploads")[0] == 503
        assert released.get("/health")[0] == 200
        assert len(json.loads(released.get("/api/memories")[1])) == 20
        released.run("docker", "start", qdrant)
        assert eventually(lambda: search(released, QUESTION))[:1] == remembered

    def test_a_lost_vector_store_is_filled_again_from_the_database(
        self, project: Project, released: RemoteHost
    ) -> None:
        done = project.inv("prod.exec", "backend", "python -m autopack.index rebuild", *TO_SANDBOX)
        count = int(self.rows(project, released, AUTOPACK.count))
        assert f"{count} vectors added, 0 removed." in done.stdout

    def test_a_release_that_finds_no_schema_is_refused_and_users_keep_the_old_one(
        self, project: Project, released: RemoteHost
    ) -> None:
        """With its migrations left out, which is how the guard comes to be asked at all."""
        new = project.root / "apps/autopack/backend/migrations/versions/0002_weight.py"
        new.write_text(
            'import sqlalchemy as sa\nfrom alembic import op\n\nrevision, down_revision = "0002", "0001"\n\n\n'
            'def upgrade():\n    op.add_column("memories", sa.Column("weight", sa.Integer()))\n\n\n'
            'def downgrade():\n    op.drop_column("memories", "weight")\n'
        )
        compose = "compose/autopack/compose.yaml"
        commands = "      migrate: alembic upgrade head\n      pending: python -m autopack.schema pending\n"
        # said to be none: left out, it would be found in the backend's folder
        project.edit(compose, commands, "      migrate: false\n")
        before = released.containers(project.name)
        with self.users(released) as load:
            done = project.inv("prod.deploy", *TO_SANDBOX, "--yes", expect=1)
        project.edit(compose, "      migrate: false\n", commands)

        assert "Not started: the database lacks the migrations 0002" in done.stderr
        assert "run: alembic upgrade head" in done.stderr
        assert load.failed == {}
        assert released.containers(project.name) == before

    def test_migrations_run_before_the_release_and_the_old_one_serves_on_after_a_rollback(
        self, project: Project, released: RemoteHost
    ) -> None:
        with self.users(released) as load:
            done = project.inv("prod.deploy", *TO_SANDBOX, "--yes")
            assert "0002" in done.stderr
            project.inv("prod.rollback", *TO_SANDBOX, "--yes")
        assert load.failed == {}
        assert self.rows(project, released, "SELECT version_num FROM alembic_version") == "0002"
        assert released.get("/api/version")[1] == '{"version":"1.0.0"}'
        # from its start on, which lies before everything that users have asked for since
        logs = project.inv("prod.logs", "--service", "backend", "--tail", "all", *TO_SANDBOX).stdout
        assert "The database is at revision 0002, which a later version has made." in logs
