import signal
import tempfile
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from django.core.management import call_command
from django.db import OperationalError
from django.test import SimpleTestCase, TestCase

from tracker import outbox, worker
from tracker.models import OutboxEvent

from .factories import make_entry


class OnceTests(TestCase):
    def test_once_drains_what_is_due_and_returns(self) -> None:
        make_entry("09:00", "10:00")
        make_entry("10:00", "11:00")
        out = StringIO()
        call_command("worker_run", once=True, stdout=out)

        self.assertEqual(out.getvalue(), "2 events processed\n")
        self.assertFalse(OutboxEvent.objects.filter(processed_at=None).exists())


class LoopTestCase(SimpleTestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.heartbeat = Path(folder.name) / "heartbeat"
        heartbeat = patch.object(worker, "HEARTBEAT", self.heartbeat)
        heartbeat.start()
        self.addCleanup(heartbeat.stop)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, mask)

    def run_rounds(self, *drains: int | Exception) -> list[float]:
        """Run the loop over these results of drain(), then stop it; returns the waits between the rounds."""
        stops = [False] * len(drains) + [True]
        with (
            patch.object(outbox, "drain", side_effect=drains),
            patch.object(worker, "_stop_requested", side_effect=stops) as asked,
            self.assertLogs("tracker.worker"),
        ):
            worker.run()
        return [call.args[0] for call in asked.call_args_list][1:]


class WaitTests(LoopTestCase):
    def test_it_goes_on_at_once_while_there_is_work_and_rests_when_there_is_none(self) -> None:
        self.assertEqual(self.run_rounds(50, 3, 0), [0.0, 0.0, worker.IDLE_S])

    def test_it_backs_off_while_the_database_is_away_and_recovers(self) -> None:
        away = OperationalError("connection refused")
        self.assertEqual(self.run_rounds(away, away, away, 0, away), [1.0, 2.0, 4.0, worker.IDLE_S, 1.0])

    def test_the_backoff_is_bounded(self) -> None:
        self.assertEqual(self.run_rounds(*[OperationalError()] * 8)[-1], worker.MAX_BACKOFF_S)

    def test_the_heart_beats_only_when_the_database_answers(self) -> None:
        self.run_rounds(OperationalError())
        self.assertFalse(self.heartbeat.exists())
        self.run_rounds(0)
        self.assertTrue(self.heartbeat.exists())


class StopTests(LoopTestCase):
    def assert_batch_finishes(self, number: signal.Signals) -> None:
        finished = []

        def batch() -> int:
            signal.raise_signal(number)
            finished.append(True)
            return 1

        with patch.object(outbox, "drain", batch), self.assertLogs("tracker.worker"):
            worker.run()
        self.assertEqual(finished, [True])

    def test_sigterm_in_mid_batch_lets_the_batch_finish(self) -> None:
        self.assert_batch_finishes(signal.SIGTERM)

    def test_sigint_in_mid_batch_lets_the_batch_finish(self) -> None:
        self.assert_batch_finishes(signal.SIGINT)
