import json
from typing import Any
from unittest.mock import patch

from django.test import TestCase, override_settings

from alarm import integrations
from alarm.models import Event, Panel, Sensor

NO_DELAYS = {"EXIT_DELAY_S": "0", "ENTRY_DELAY_S": "0"}


@override_settings(PANEL_CODE="2468", GATEWAY_TOKEN="of-the-gateway")
class ApiTestCase(TestCase):
    settings: dict[str, str] = NO_DELAYS

    def setUp(self) -> None:
        integrations.apply(integrations.read(self.settings))

    def send(self, path: str, **body: object) -> tuple[int, Any]:
        answer = self.client.post(f"/api/{path}", json.dumps(body), "application/json")
        return answer.status_code, answer.json()

    def command(self, command: str, code: str = "2468") -> tuple[int, Any]:
        return self.send("panel", command=command, code=code)

    def sense(self, key: str, active: bool = True) -> tuple[int, Any]:
        return self.send(f"sensors/{key}", active=active, token="of-the-gateway")

    def state(self) -> str:
        return str(self.client.get("/api/panel").json()["state"])


class PanelTests(ApiTestCase):
    def test_it_begins_disarmed_with_the_sensors_of_the_settings(self) -> None:
        panel = self.client.get("/api/panel").json()

        self.assertEqual((panel["state"], panel["mode"], panel["deadline"]), ("disarmed", None, None))
        self.assertEqual([sensor["key"] for sensor in panel["sensors"]], ["front-door", "kitchen", "hallway", "stairs"])
        self.assertEqual(panel["events"], [])

    def test_the_code_arms_and_disarms(self) -> None:
        status, panel = self.command("arm_away")
        self.assertEqual((status, panel["state"], panel["mode"]), (200, "armed", "away"))

        status, panel = self.command("disarm")
        self.assertEqual((status, panel["state"], panel["mode"]), (200, "disarmed", None))
        self.assertEqual([event["kind"] for event in panel["events"]], ["disarmed", "armed"])

    def test_another_code_does_nothing(self) -> None:
        self.assertEqual(self.command("arm_home", "1357")[0], 403)
        self.assertEqual(self.send("panel", command="arm_home")[0], 403)
        self.assertEqual(self.state(), "disarmed")

    def test_what_is_armed_is_not_armed_again(self) -> None:
        self.command("arm_home")

        self.assertEqual(self.command("arm_away"), (409, {"detail": "It is armed: disarm it first."}))

    def test_an_unknown_command_names_the_known_ones(self) -> None:
        status, answer = self.command("explode")

        self.assertEqual(status, 400)
        self.assertIn("arm_home, arm_away, disarm", answer["detail"])

    def test_what_is_no_json_object_is_refused(self) -> None:
        for body in ("", "[]", "{"):
            self.assertEqual(self.client.post("/api/panel", body, "application/json").status_code, 400)


class SensorTests(ApiTestCase):
    def test_a_window_triggers_an_armed_panel_and_says_which(self) -> None:
        self.command("arm_home")
        self.assertEqual(self.sense("kitchen")[0], 201)

        self.assertEqual(self.state(), "triggered")
        self.assertEqual(Event.objects.get(kind="triggered").detail, "Kitchen window")

    def test_what_is_known_already_is_no_event(self) -> None:
        self.assertEqual(self.sense("hallway")[0], 201)
        self.assertEqual(self.sense("hallway"), (200, {"event": None}))
        self.assertEqual(self.sense("hallway", active=False)[0], 201)
        self.assertEqual(Event.objects.filter(kind="sensor").count(), 2)

    def test_only_the_gateway_reports(self) -> None:
        self.assertEqual(self.send("sensors/kitchen", active=True)[0], 403)
        self.assertEqual(self.send("sensors/kitchen", active=True, token="another")[0], 403)
        self.assertFalse(Sensor.objects.get(key="kitchen").active)

    def test_a_sensor_that_is_not_configured_is_not_found(self) -> None:
        self.assertEqual(self.sense("cellar")[0], 404)

    def test_its_state_is_true_or_false(self) -> None:
        self.assertEqual(self.send("sensors/kitchen", active="yes", token="of-the-gateway")[0], 400)


class DelayTests(ApiTestCase):
    settings = {"EXIT_DELAY_S": "30", "ENTRY_DELAY_S": "20"}

    def test_a_deadline_that_has_passed_counts_though_nobody_has_written_it_down(self) -> None:
        self.command("arm_away")
        self.assertEqual(self.state(), "arming")
        Panel.objects.update(deadline="2026-01-01T00:00:00Z")
        self.sense("front-door")

        self.assertEqual(self.state(), "pending")


class WebhookTests(ApiTestCase):
    settings = {**NO_DELAYS, "WEBHOOK_URL": "http://example.test/hook"}

    def test_an_alarm_is_told_once_it_is_committed(self) -> None:
        with patch("alarm.webhook.tell") as tell, self.captureOnCommitCallbacks(execute=True):
            self.sense("stairs")
            tell.assert_not_called()

        url, event = tell.call_args.args
        self.assertEqual((url, event["kind"], event["detail"]), ("http://example.test/hook", "triggered", "Stairs"))


class OtherTests(ApiTestCase):
    def test_anybody_may_ring(self) -> None:
        status, event = self.send("doorbell", visitor="Postman")

        self.assertEqual((status, event["kind"], event["detail"]), (201, "doorbell", "Postman"))
        self.assertEqual(self.client.get("/api/events").json()["events"], [event])

    def test_a_visitor_is_a_short_text(self) -> None:
        for visitor in ("x" * 61, 5, "two\nlines"):
            self.assertEqual(self.send("doorbell", visitor=visitor)[0], 400)

    def test_it_is_healthy_while_its_database_answers(self) -> None:
        self.assertEqual(self.client.get("/api/health").json(), {"status": "ok"})
