from io import StringIO
from unittest.mock import patch

from django.core.management import CommandError, call_command
from django.test import SimpleTestCase, TestCase

from alarm.integrations import Invalid, SensorSettings, apply, read
from alarm.machine import Kind
from alarm.models import Integration, Sensor


class ReadTests(SimpleTestCase):
    def test_an_empty_variable_has_its_default(self) -> None:
        self.assertEqual(read({"EXIT_DELAY_S": "", "SENSORS": ""}), read({}))

    def test_sensors_are_a_list_of_key_name_and_kind(self) -> None:
        found = read({"SENSORS": "cellar:Cellar door:door, loft : Loft : motion,"}).sensors

        self.assertEqual(
            found, (SensorSettings("cellar", "Cellar door", Kind.DOOR), SensorSettings("loft", "Loft", Kind.MOTION))
        )

    def test_what_cannot_be_names_its_variable(self) -> None:
        for name, value in {
            "SENSORS": "cellar:Cellar:hatch",
            "EXIT_DELAY_S": "soon",
            "ENTRY_DELAY_S": "601",
            "WEBHOOK_URL": "example.test",
        }.items():
            with self.assertRaisesMessage(Invalid, name):
                read({name: value})


class ApplyTests(TestCase):
    def test_the_same_again_changes_nothing(self) -> None:
        self.assertEqual(len(apply(read({}))), 6)
        self.assertEqual(apply(read({})), [])

    def test_a_sensor_that_is_gone_is_disabled_and_comes_back(self) -> None:
        apply(read({}))

        self.assertIn("sensor kitchen disabled", apply(read({"SENSORS": "hallway:Hallway:motion"})))
        self.assertEqual([sensor.key for sensor in Sensor.objects.filter(enabled=True)], ["hallway"])
        apply(read({}))
        self.assertEqual(Sensor.objects.filter(enabled=True).count(), 4)

    def test_a_webhook_is_enabled_by_its_address(self) -> None:
        apply(read({}))
        self.assertEqual(Integration.webhook(), "")
        apply(read({"WEBHOOK_URL": "https://example.test/hook"}))
        self.assertEqual(Integration.webhook(), "https://example.test/hook")


class CommandTests(TestCase):
    def test_it_says_what_has_changed(self) -> None:
        with patch.dict("os.environ", {"SENSORS": "cellar:Cellar:door"}):
            call_command("apply_integration_settings", stdout=StringIO())
            out = StringIO()
            call_command("apply_integration_settings", stdout=out)

        self.assertEqual(out.getvalue(), "Integration settings: nothing changed.\n")

    def test_a_wrong_setting_ends_it(self) -> None:
        with patch.dict("os.environ", {"SENSORS": "cellar"}), self.assertRaisesMessage(CommandError, "SENSORS"):
            call_command("apply_integration_settings", stdout=StringIO())
