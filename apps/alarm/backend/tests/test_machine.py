from datetime import UTC, datetime, timedelta

from django.test import SimpleTestCase

from alarm.machine import Delays, Kind, Mode, NotNow, State, Status, advance, arm, disarm, sense

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
DELAYS = Delays(exit_s=30, entry_s=20)
AWAY = Status(State.ARMED, Mode.AWAY)
HOME = Status(State.ARMED, Mode.HOME)


class ArmingTests(SimpleTestCase):
    def test_there_is_time_to_leave(self) -> None:
        arming = arm(Status(), Mode.AWAY, DELAYS, NOW)

        self.assertEqual(arming, Status(State.ARMING, Mode.AWAY, NOW + timedelta(seconds=30)))
        self.assertEqual(advance(arming, NOW + timedelta(seconds=29)), arming)
        self.assertEqual(advance(arming, NOW + timedelta(seconds=30)), AWAY)

    def test_without_a_delay_it_is_armed_at_once(self) -> None:
        self.assertEqual(arm(Status(), Mode.HOME, Delays(0, 0), NOW), HOME)

    def test_what_is_armed_cannot_be_armed_another_way(self) -> None:
        with self.assertRaisesMessage(NotNow, "It is armed: disarm it first."):
            arm(AWAY, Mode.HOME, DELAYS, NOW)

    def test_a_code_disarms_in_every_state(self) -> None:
        for state in State:
            self.assertEqual(disarm(Status(state, Mode.AWAY, NOW)), Status())


class SensorTests(SimpleTestCase):
    def test_a_door_leaves_time_for_the_code(self) -> None:
        pending = sense(AWAY, Kind.DOOR, DELAYS, NOW)

        self.assertEqual(pending, Status(State.PENDING, Mode.AWAY, NOW + timedelta(seconds=20)))
        self.assertEqual(advance(pending, NOW + timedelta(seconds=20)), Status(State.TRIGGERED, Mode.AWAY))

    def test_a_window_leaves_none(self) -> None:
        self.assertEqual(sense(HOME, Kind.WINDOW, DELAYS, NOW).state, State.TRIGGERED)

    def test_who_is_at_home_may_move(self) -> None:
        self.assertEqual(sense(HOME, Kind.MOTION, DELAYS, NOW), HOME)
        self.assertEqual(sense(AWAY, Kind.MOTION, DELAYS, NOW).state, State.TRIGGERED)

    def test_smoke_is_an_alarm_in_every_state(self) -> None:
        for status in (Status(), HOME, AWAY, arm(Status(), Mode.AWAY, DELAYS, NOW)):
            self.assertEqual(sense(status, Kind.SMOKE, DELAYS, NOW).state, State.TRIGGERED)

    def test_nothing_else_matters_while_it_is_disarmed_or_arming(self) -> None:
        for status in (Status(), arm(Status(), Mode.AWAY, DELAYS, NOW)):
            for kind in (Kind.DOOR, Kind.WINDOW, Kind.MOTION):
                self.assertEqual(sense(status, kind, DELAYS, NOW), status)
