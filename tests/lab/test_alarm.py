"""The alarm stack on a host: the story of every stack, and a page that stays connected through all of it."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from typing import Any

from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver

from deploy.engine.files import read_env_file
from tests.lab.conftest import RemoteHost
from tests.lab.stack_story import TO_SANDBOX, StackStory
from tests.lab.streams import WebSocket
from tests.lab.terminal import Terminal
from tests.load import Request
from tests.project import Project, eventually
from tests.reference import Reference
from tests.stack.browser import shown

PORT = 5427
ALARM = Reference(
    name="alarm",
    page="/",
    shows='<div id="root">',
    port=PORT,
    dev_ports=("APP_PORT",),
    requests=(
        Request("/api/version"),
        Request("/"),
        Request("/api/doorbell", lambda number: json.dumps({"visitor": f"Visitor {number}"})),
    ),
    change=("apps/alarm/backend/config/version.py", '"1.0.0"', '"1.1.0"'),
    changed=("/api/version", '"1.1.0"'),
    count="SELECT count(*) FROM alarm_event WHERE kind = 'doorbell'",
    destroy="TRUNCATE alarm_event",
)
SETTINGS = "deploy:\n  stack: alarm\n  environments: {prod: {drain_s: 10}}\n"


class PanelSocket(WebSocket):
    """What a page is pushed."""

    path = "/ws/panel"

    @property
    def panel(self) -> dict[str, Any]:
        """The last one."""
        found: dict[str, Any] = json.loads(self.texts[-1])
        return found


def post(host: RemoteHost, path: str, **body: object) -> int:
    """The status."""
    data = json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://{host.address}:{PORT}/api/{path}", data, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def connection(browser: WebDriver) -> tuple[str | None, str | None]:
    """How the page is connected, and how many times it was."""
    found = browser.find_elements(By.CLASS_NAME, "connection")[0]
    return found.get_attribute("data-connection"), found.get_attribute("data-times")


def state(browser: WebDriver) -> str | None:
    """Of the alarm, as the page shows it."""
    return browser.find_elements(By.CLASS_NAME, "state")[0].get_attribute("data-state")


def press(browser: WebDriver, label: str, code: str) -> None:
    browser.find_element(By.CSS_SELECTOR, "form input").send_keys(code)
    browser.find_element(By.XPATH, f"//button[text()='{label}']").click()


class TestAlarm(StackStory):
    reference = ALARM
    stores = frozenset({"db/alarm"})

    def test_production_is_hardened_and_behind_one_port(self, project: Project, released: RemoteHost) -> None:
        published = released.run("docker", "ps", "--format", "{{.Names}} {{.Ports}}").splitlines()
        assert [line.split()[0] for line in published if "->" in line] == [f"{project.name}-edge-edge-1"]
        (name,) = released.containers(f"{project.name}-2")
        details = json.loads(released.run("docker", "container", "inspect", name))[0]
        host = details["HostConfig"]
        assert (host["ReadonlyRootfs"], host["CapDrop"], host["SecurityOpt"]) == (
            True,
            ["ALL"],
            ["no-new-privileges:true"],
        )
        assert (host["NanoCpus"], host["Memory"], host["PidsLimit"]) == (10**9, 384 << 20, 200)
        users = released.run("docker", "exec", name, "sh", "-c", "stat -c %u /proc/[0-9]* || true").split()
        assert set(users) == {"10001"}

    def test_paths_of_the_page_are_the_page_and_assets_may_be_kept_for_ever(self, released: RemoteHost) -> None:
        base = f"http://{released.address}:{PORT}"
        with urllib.request.urlopen(f"{base}/log", timeout=30) as answer:
            page = answer.read().decode()
            assert answer.headers["Cache-Control"] == "no-cache"
        asset = re.search(r'src="(/assets/[^"]+\.js)"', page)
        assert asset
        with urllib.request.urlopen(base + asset[1], timeout=30) as answer:
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert released.get("/assets/gone.js", PORT)[0] == 404

    def test_a_connected_page_lives_through_a_deploy_is_told_and_comes_back(
        self, project: Project, released: RemoteHost, browser: WebDriver
    ) -> None:
        (project.root / "invoke.yaml").write_text(SETTINGS)
        with (project.root / ".env.prod").open("a") as file:
            file.write("EXIT_DELAY_S=7\n")
        browser.get(f"http://{released.address}:{PORT}/")
        eventually(lambda: connection(browser) == ("live", "1"))
        browser.execute_script("window.notReloaded = true")
        with PanelSocket(released.address, PORT) as socket:
            deploy = Terminal(project, "prod.deploy", *TO_SANDBOX, "--yes")
            deploy.expect("waiting for 2 in flight", 120)
            assert post(released, "doorbell", visitor="While it drains") == 201
            assert '"1.1.0"' in released.get("/api/version", PORT)[1], "answered by the new release"
            eventually(lambda: "While it drains" in socket.texts[-1])
            eventually(lambda: "While it drains" in shown(browser))
            assert (socket.panel["version"], socket.open) == ("1.0.0", True), "pushed by the one before"
            assert connection(browser) == ("live", "1")
            assert deploy.end() == 0
            assert socket.ended == "closed with 1001"
        assert "2 connections had not ended after 10 s" in deploy.text

        eventually(lambda: connection(browser) == ("live", "2"))
        assert post(released, "doorbell", visitor="After the release") == 201
        eventually(lambda: "After the release" in shown(browser))
        assert "version 1.1.0" in shown(browser)
        assert browser.execute_script("return window.notReloaded")

    def test_integration_settings_were_applied_at_the_start(self, released: RemoteHost) -> None:
        assert json.loads(released.get("/api/panel", PORT)[1])["exit_delay_s"] == 7

    def test_a_panel_is_armed_in_the_page_and_a_sensor_triggers_it(
        self, project: Project, released: RemoteHost, browser: WebDriver
    ) -> None:
        secrets = read_env_file(project.root / ".env.prod")
        with PanelSocket(released.address, PORT) as socket:
            press(browser, "Arm at home", "a wrong code")
            eventually(lambda: "This is not the code." in shown(browser))
            press(browser, "Arm at home", str(secrets["PANEL_CODE"]))
            eventually(lambda: state(browser) == "arming")
            eventually(lambda: state(browser) == "armed")
            assert post(released, "sensors/kitchen", active=True, token="a guess") == 403
            assert post(released, "sensors/kitchen", active=True, token=secrets["GATEWAY_TOKEN"]) == 201
            eventually(lambda: state(browser) == "triggered")
            press(browser, "Disarm", str(secrets["PANEL_CODE"]))
            eventually(lambda: state(browser) == "disarmed")
            states = [json.loads(text)["state"] for text in socket.texts]
        assert list(dict.fromkeys(states)) == ["disarmed", "arming", "armed", "triggered"]

    def test_pushes_go_on_after_the_database_was_restarted(
        self, project: Project, released: RemoteHost, browser: WebDriver
    ) -> None:
        released.run("docker", "restart", f"{project.name}-data-db-1")
        eventually(lambda: post(released, "doorbell", visitor="After the restart") == 201, 60)

        eventually(lambda: "After the restart" in shown(browser))
        assert connection(browser) == ("live", "2")

    def test_whoever_guesses_codes_is_slowed_down(self, released: RemoteHost) -> None:
        found = [post(released, "panel", command="disarm", code=f"guess {number}") for number in range(12)]

        assert set(found) == {403, 429}
        assert found[-1] == 429
        assert released.get("/api/panel", PORT)[0] == 200
