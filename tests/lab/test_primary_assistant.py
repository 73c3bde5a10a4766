"""Primary Assistant on a host: what every stack goes through, then its limits, its uploads and Alembic's way back."""

from __future__ import annotations

import base64
import http.cookiejar
import json
import os
import re
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Iterator
from email.message import Message

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

from tests.lab.conftest import RemoteHost
from tests.lab.stack_story import TO_SANDBOX, StackStory
from tests.load import Request
from tests.project import INV, Project, docker, eventually, swept, unique
from tests.reference import Reference, clone_of
from tests.stack.browser import complaints, shown

APP = "apps/primary-assistant"
MIGRATIONS = f"{APP}/migrations/versions"
PRIMARY_ASSISTANT = Reference(
    name="primary-assistant",
    page="/",
    shows="This week",
    port=80,
    dev_ports=("WEB_PORT", "DB_PORT_HOST"),
    requests=(
        Request("/"),
        Request("/api/version"),
        Request(
            "/api/workouts", lambda n: json.dumps({"activity": f"Run {n}", "minutes": 30, "day": "2026-03-15"})
        ),
    ),
    change=(f"{APP}/website/version.py", '"1.0.0"', '"1.1.0"'),
    changed=("/api/version", '"1.1.0"'),
    count="SELECT count(*) FROM workouts",
    destroy="TRUNCATE workouts",
)  # fmt: skip
LIMITS = ("AUTH_RATE_PER_MINUTE", "AUTH_BURST", "API_RATE_PER_MINUTE", "API_BURST")
UNLIMITED = dict.fromkeys(LIMITS, "1000000")
API_BURST, AUTH_BURST = 20, 10
EMAIL, PASSWORD = "ada@example.com", "correct horse battery"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
MEGABYTE = 1024 * 1024
POLICY = "Content Security Policy"


class Visitor:
    """A container of its own address in the network that a host is in."""

    def __init__(self, host: RemoteHost) -> None:
        self.name = f"{host.container}-visitor"
        self._host = host
        (network,) = json.loads(docker("container", "inspect", host.container))[0]["NetworkSettings"]["Networks"]
        begin = ("run", "--detach", "--rm", "--init", "--name", self.name, "--network", network)
        docker(*begin, "nginx:alpine", "sleep", "infinity")
        details = json.loads(docker("container", "inspect", self.name))[0]
        self.address: str = details["NetworkSettings"]["Networks"][network]["IPAddress"]

    def statuses(self, path: str, times: int = 1, *options: str) -> Counter[int]:
        """How often a path was answered how."""
        ask = f"for n in $(seq {times}); do wget -q -S -O /dev/null \"$@\" 2>&1 | sed -n 's/^ *HTTP[^ ]* //p'; done"
        url = f"http://{self._host.address}{path}"
        told = docker("exec", self.name, "sh", "-c", ask, "sh", *options, url)
        return Counter(int(line.split()[0]) for line in told.splitlines())


class Client:
    """Keeps cookies, and fills in forms with their tokens."""

    def __init__(self, host: RemoteHost) -> None:
        self._base = f"http://{host.address}"
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def send(self, path: str, data: bytes | None = None, **headers: str) -> tuple[int, str, Message]:
        request = urllib.request.Request(f"{self._base}{path}", data, headers)
        try:
            with self._opener.open(request, timeout=30) as answer:
                return answer.status, answer.read().decode(errors="replace"), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace"), error.headers

    def token(self, path: str) -> str:
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.send(path)[1])
        assert found, f"{path} has no form"
        return found[1]

    def sign_in(self, email: str = EMAIL, password: str = PASSWORD, **headers: str) -> int:
        form = {"csrf_token": self.token("/auth/login"), "email": email, "password": password}
        return self.send("/auth/login", urllib.parse.urlencode(form).encode(), **headers)[0]

    def upload(self, path: str, content: bytes) -> int:
        parts = f'--b\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n{self.token("/")}\r\n--b\r\n'
        parts += 'Content-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\n'
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        return self.send(path, parts.encode() + content + b"\r\n--b--\r\n", **headers)[0]


def in_web(project: Project, host: RemoteHost, script: str) -> str:
    """A script in a container of the live release's application."""
    web = next(name for name in sorted(host.containers(f"{project.name}-2")) if "-web-" in name)
    return host.run("docker", "exec", web, "sh", "-c", script)


def make_admin(project: Project, *words: str) -> None:
    """Of EMAIL, with a password that no command line had. `words` are the task that runs it, and where."""
    task, *options = words
    made = subprocess.run(
        [INV, task, "web", f"flask create-admin {EMAIL}", *options],
        cwd=project.root,
        env=os.environ | project.env | {"INVOKE_DEPLOY_PROJECT": project.name},
        input=f"{PASSWORD}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{EMAIL} may sign in as admin." in made.stdout, made.stderr


def own_address(host: RemoteHost) -> str:
    """Of this machine, as the host sees it."""
    with socket.create_connection((host.address, 80)) as connection:
        address: str = connection.getsockname()[0]
        return address


def send_form(browser: WebDriver, form: str, **fields: str) -> None:
    for name, value in fields.items():
        field = browser.find_element(By.CSS_SELECTOR, f"{form} input[name={name}]")
        field.clear()
        field.send_keys(value)
    browser.find_element(By.CSS_SELECTOR, f"{form} button").click()


def press(browser: WebDriver, activity: str, label: str) -> None:
    """A button of a workout."""
    browser.find_element(By.XPATH, f"//li[strong='{activity}']//button[text()='{label}']").click()


def add_photo(browser: WebDriver, activity: str) -> None:
    """Of one pixel, and wait until the page shows it."""
    field = browser.find_element(By.XPATH, f"//li[strong='{activity}']//input[@name='photo']")
    # the browser is in a container, which has no file of ours
    choose = """
        const bytes = Uint8Array.from(atob(arguments[1]), (letter) => letter.charCodeAt(0));
        const chosen = new DataTransfer();
        chosen.items.add(new File([bytes], "photo.png", { type: "image/png" }));
        arguments[0].files = chosen.files;
    """
    browser.execute_script(choose, field, base64.b64encode(PIXEL).decode())
    press(browser, activity, "Add the photo")
    width = "return document.querySelector('.workouts img')?.naturalWidth ?? 0"
    eventually(lambda: browser.execute_script(width) == 1)


def text_width(browser: WebDriver) -> str:
    """What the style says of it."""
    return str(browser.execute_script("return getComputedStyle(document.body).maxWidth"))


MIGRATION = '''"""Wish {number}."""

from alembic import op

revision = "{number:04}"
down_revision = "{before:04}"


def upgrade() -> None:
    op.execute({up!r})


def downgrade() -> None:
    {down}
'''


class TestPrimaryAssistant(StackStory):
    reference = PRIMARY_ASSISTANT
    stores = frozenset({"db/fitness_db", "web/user_uploads"})

    def put_in(self, project: Project, host: RemoteHost) -> None:
        in_web(project, host, "echo kept >/app/uploads/kept.txt")

    def lose(self, project: Project, host: RemoteHost) -> None:
        in_web(project, host, "rm /app/uploads/kept.txt && echo newer >/app/uploads/newer.txt")

    def has(self, project: Project, host: RemoteHost) -> bool:
        return in_web(project, host, "cat /app/uploads/*.txt") == "kept"

    @pytest.fixture(scope="class")
    @classmethod
    def project(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
        """A fresh clone that limits nobody: what the limits do is looked at apart from the load."""
        name = unique("primary")
        with swept(name):
            yield Project(clone_of(cls.reference, tmp_path_factory.mktemp("clone")), name, dict(UNLIMITED))

    @pytest.fixture(scope="class")
    @classmethod
    def visitor(cls, released: RemoteHost) -> Visitor:
        return Visitor(released)

    def live(self, project: Project) -> str:
        """The compose project of the live release."""
        rows = json.loads(project.inv("prod.releases", *TO_SANDBOX, "--json").stdout)
        release = next(row["release"] for row in rows if row["live"])
        return f"{project.name}-{release}"

    def test_the_database_is_reached_by_the_application_alone(self, project: Project, released: RemoteHost) -> None:
        def networks(container: str) -> set[str]:
            found = json.loads(released.run("docker", "container", "inspect", container))[0]
            return set(found["NetworkSettings"]["Networks"])

        live = self.live(project)
        database = networks(f"{project.name}-data-db-1")
        assert database & networks(f"{live}-web-1")
        assert not database & networks(f"{live}-nginx-1")
        assert not database & networks(f"{project.name}-edge-edge-1")
        told = released.run("docker", "network", "inspect", "--format", "{{.Internal}}", *database)
        assert set(told.split()) == {"true"}

    def test_an_admin_is_made_with_a_password_that_no_command_line_had(
        self, project: Project, released: RemoteHost
    ) -> None:
        make_admin(project, "prod.exec", *TO_SANDBOX)
        client = Client(released)
        assert client.sign_in(password="wrong") == 401
        assert client.sign_in() == 200
        assert "Sign-ins" in client.send("/")[1]

    def test_the_application_sees_who_asks_and_nobody_can_say_otherwise(
        self, project: Project, released: RemoteHost, visitor: Visitor
    ) -> None:
        here = own_address(released)
        client = Client(released)
        client.sign_in("here@example.com", "wrong", **{"X-Forwarded-For": "192.0.2.9", "Forwarded": "for=192.0.2.9"})

        seen = self.rows(project, released, "SELECT address FROM sign_ins WHERE email = 'here@example.com'")
        assert seen == here
        assert here != visitor.address
        visitor.statuses("/api/version?marker=sought", 1, "--header", "X-Forwarded-For: 192.0.2.9")
        for service in ("nginx", "web"):
            logs = project.inv("prod.logs", *TO_SANDBOX, "--service", service).stdout
            (line,) = (line for line in logs.splitlines() if "marker=sought" in line)
            assert visitor.address in line
            assert "192.0.2.9" not in line

    def test_photos_are_served_by_nginx_and_outlive_releases(self, project: Project, released: RemoteHost) -> None:
        client = Client(released)
        client.sign_in()
        workout = json.dumps({"activity": "Rowing", "minutes": 20}).encode()
        made = json.loads(client.send("/api/workouts", workout, **{"Content-Type": "application/json"})[1])
        path = f"/workouts/{made['id']}/photo"

        assert client.upload(path, PNG + b"\0" * 9 * MEGABYTE) == 200
        assert client.upload(path, PNG + b"\0" * 10 * MEGABYTE) == 413
        photo = json.loads(client.send("/api/workouts")[1])[0]["photo"]
        status, _, headers = client.send(photo)
        assert status == 200
        assert headers["Content-Type"] == "image/png"
        assert headers["Cache-Control"] == "public, max-age=604800, immutable"

        project.inv("prod.deploy", *TO_SANDBOX, "--rebuild", "--yes")

        assert client.send(photo)[0] == 200

    def test_every_answer_has_its_security_headers(self, released: RemoteHost) -> None:
        client = Client(released)
        style = re.search(r'href="(/static/[0-9a-f]{12}/style\.css)"', client.send("/")[1])
        assert style
        assert client.send(style[1])[2]["Cache-Control"] == "public, max-age=2592000, immutable"
        for path in ("/", "/api/version", "/auth/login", style[1], "/uploads/none.png", "/nowhere"):
            headers = client.send(path)[2]
            assert headers["X-Frame-Options"] == "DENY", path
            assert headers["X-Content-Type-Options"] == "nosniff", path
            assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin", path
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
            assert "Strict-Transport-Security" not in headers, "plain http"

    def test_the_page_works_in_a_browser(self, released: RemoteHost, browser: WebDriver) -> None:
        browser.get(f"http://{released.address}/")
        assert text_width(browser) == "704px"
        send_form(browser, "#log", activity="Swimming", minutes="45", note="across the bay")
        eventually(lambda: "across the bay" in shown(browser))

        browser.find_element(By.LINK_TEXT, "Sign in").click()
        send_form(browser, "form.login", email=EMAIL, password="wrong")
        eventually(lambda: "This email and password do not belong together." in shown(browser))
        send_form(browser, "form.login", email=EMAIL, password=PASSWORD)
        eventually(lambda: f"Sign out {EMAIL}" in shown(browser))
        add_photo(browser, "Swimming")

        browser.find_element(By.LINK_TEXT, "Sign-ins").click()
        eventually(lambda: "Outcome" in shown(browser))
        newest = [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "tbody tr:first-child td")]
        assert newest[1:] == [EMAIL, own_address(released), "signed in"]
        assert [line for line in complaints(browser) if POLICY in line] == []

    def test_the_page_runs_no_script_but_its_own(self, released: RemoteHost, browser: WebDriver) -> None:
        browser.get(f"http://{released.address}/")
        browser.execute_script(
            "const script = document.createElement('script');"
            "script.textContent = 'window.stranger = true';"
            "document.head.append(script);"
        )

        eventually(lambda: any(POLICY in line for line in complaints(browser)))
        assert browser.execute_script("return window.stranger ?? false") is False

    def test_an_application_that_was_started_again_is_found_again(self, project: Project, released: RemoteHost) -> None:
        live = self.live(project)
        # Somebody else takes its address in the meantime.
        released.run("docker", "stop", f"{live}-web-1")
        image = released.run("docker", "container", "inspect", "--format", "{{.Config.Image}}", f"{live}-nginx-1")
        network = ("--network", f"{live}_frontend", "--entrypoint", "sleep")
        released.run("docker", "run", "--detach", "--rm", "--name", "squatter", *network, image, "60")
        released.run("docker", "start", f"{live}-web-1")
        try:
            eventually(lambda: released.get("/health")[0] == 200)
        finally:
            released.run("docker", "rm", "--force", "squatter")

    def test_a_migration_of_alembics_is_named_and_run_with_the_limits_as_they_are_shipped(
        self, project: Project, released: RemoteHost
    ) -> None:
        path = project.root / MIGRATIONS / "0002_wish.py"
        path.write_text(
            MIGRATION.format(number=2, before=1, up="CREATE TABLE wishes (x int)", down='op.drop_table("wishes")')
        )
        project.env.clear()

        done = project.inv("prod.deploy", *TO_SANDBOX, "--yes")

        assert "pending: web (0002 Wish 2.)" in done.stderr
        assert self.rows(project, released, "SELECT version_num FROM alembic_version") == "0002"
        assert released.get("/health")[0] == 200

    def test_each_address_has_limits_of_its_own(self, released: RemoteHost, visitor: Visitor) -> None:
        here = Counter(released.get("/api/version")[0] for _ in range(60))
        assert here[200] >= API_BURST + 1
        assert here[429] >= 60 - API_BURST - 10, "a hundred a minute come back while sixty are asked"
        assert here.total() == here[200] + here[429]

        assert visitor.statuses("/api/version") == {200: 1}, "another address"
        login = visitor.statuses("/auth/login", 20)
        assert login[200] in {AUTH_BURST + 1, AUTH_BURST + 2}
        assert login[429] == 20 - login[200]
        assert released.get("/auth/login")[0] == 200, "this address has asked for none"
        # Some have come back by now.
        answers = (Client(released).send("/api/version") for _ in range(60))
        headers = next(headers for status, _, headers in answers if status == 429)
        assert (headers["Retry-After"], headers["X-Frame-Options"]) == ("60", "DENY")
        assert [released.get(path)[0] for path in ("/", "/health")] == [200, 200], "not limited"

    def test_alembic_takes_its_migrations_back(self, project: Project, released: RemoteHost) -> None:
        done = project.inv("prod.rollback", *TO_SANDBOX, "--reverse-migrations", "--yes")

        assert "web: back to revision 0001" in done.stderr
        assert self.rows(project, released, "SELECT version_num FROM alembic_version") == "0001"
        assert self.rows(project, released, "SELECT to_regclass('wishes') IS NULL") == "t"
        assert released.get("/")[0] == 200

    def test_what_alembic_cannot_take_back_changes_nothing(self, project: Project, released: RemoteHost) -> None:
        path = project.root / MIGRATIONS / "0003_once.py"
        path.write_text(
            MIGRATION.format(number=3, before=2, up="DELETE FROM wishes", down='raise NotImplementedError("once only")')
        )
        done = project.inv("prod.deploy", *TO_SANDBOX, "--yes")
        assert "pending: web (0002 Wish 2., 0003 Wish 3.)" in done.stderr
        before = released.containers(project.name)

        done = project.inv("prod.rollback", *TO_SANDBOX, "--reverse-migrations", "--yes", expect=1)

        assert "the migrations of web could not be reversed" in done.stderr
        assert "once only" in done.stderr
        assert self.rows(project, released, "SELECT version_num FROM alembic_version") == "0003"
        assert self.rows(project, released, "SELECT to_regclass('wishes')") == "wishes"
        assert released.containers(project.name) == before
        assert released.get("/")[0] == 200
        project.inv("prod.status", *TO_SANDBOX)
