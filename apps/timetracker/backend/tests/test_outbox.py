import threading
from datetime import date, timedelta
from unittest.mock import patch

from django.db import OperationalError, connection, transaction
from django.test import TestCase, TransactionTestCase, skipUnlessDBFeature
from django.utils import timezone

from tracker import outbox
from tracker.models import DailyTotal, OutboxEvent, TimeEntry

from .factories import DAY, at, make_entry, make_task


class RecordingTests(TestCase):
    def test_every_change_of_an_entry_leaves_an_event(self) -> None:
        entry = make_entry()
        entry.note = "second thoughts"
        entry.save()
        entry.delete()

        kinds = OutboxEvent.objects.values_list("kind", flat=True)
        self.assertEqual(list(kinds), ["entry.created", "entry.updated", "entry.deleted"])

    def test_bulk_deletion_leaves_events_too(self) -> None:
        make_entry("09:00", "10:00")
        make_entry("11:00", "12:00")
        TimeEntry.objects.all().delete()
        self.assertEqual(OutboxEvent.objects.filter(kind="entry.deleted").count(), 2)

    def test_a_moved_entry_names_the_totals_it_left_and_the_ones_it_joined(self) -> None:
        entry = make_entry()
        left = entry.task.project_id
        entry.task = make_task("Harbour")
        entry.started_at, entry.ended_at = at("09:00", "2025-03-16"), at("10:00", "2025-03-16")
        entry.save()

        self.assertEqual(
            OutboxEvent.objects.latest("pk").payload["totals"],
            [{"project": left, "date": DAY}, {"project": entry.task.project_id, "date": "2025-03-16"}],
        )

    def test_without_its_event_the_entry_is_not_saved(self) -> None:
        with patch.object(OutboxEvent.objects, "create", side_effect=RuntimeError), self.assertRaises(RuntimeError):
            make_entry()
        self.assertFalse(TimeEntry.objects.exists())


class DrainTests(TestCase):
    def total(self, day: str = DAY) -> int:
        return DailyTotal.objects.get(date=day).seconds

    def test_totals_follow_creation_change_and_deletion(self) -> None:
        entry = make_entry("09:00", "10:30")
        make_entry("11:00", "11:30")
        outbox.drain()
        self.assertEqual(self.total(), 2 * 3600)

        entry.ended_at = at("10:00")
        entry.save()
        outbox.drain()
        self.assertEqual(self.total(), 90 * 60)

        entry.delete()
        outbox.drain()
        self.assertEqual(self.total(), 30 * 60)

    def test_a_running_entry_counts_once_it_ends(self) -> None:
        make_entry("09:00", None)
        outbox.drain()
        self.assertEqual(self.total(), 0)

    def test_an_event_that_comes_twice_changes_nothing(self) -> None:
        make_entry("09:00", "10:00")
        outbox.drain()
        OutboxEvent.objects.update(processed_at=None)
        outbox.drain()
        self.assertEqual(self.total(), 3600)

    def test_a_batch_is_bounded_and_the_oldest_come_first(self) -> None:
        for hour in ("09", "10", "11"):
            make_entry(f"{hour}:00", f"{hour}:30")

        self.assertEqual([outbox.drain(batch_size=2) for _ in range(3)], [2, 1, 0])
        self.assertFalse(OutboxEvent.objects.filter(processed_at=None).exists())

    def test_an_event_of_a_project_that_is_gone_is_done_with(self) -> None:
        OutboxEvent.objects.create(kind="entry.deleted", payload={"totals": [{"project": 999, "date": DAY}]})
        outbox.drain()
        self.assertIsNotNone(OutboxEvent.objects.get().processed_at)


class FailureTests(TestCase):
    def setUp(self) -> None:
        self.broken = OutboxEvent.objects.create(kind="entry.created", payload={})

    def fail_once(self) -> None:
        with self.assertLogs("tracker.outbox", "ERROR"):
            outbox.drain()
        self.broken.refresh_from_db()

    def test_a_failing_event_records_its_error_and_holds_nobody_up(self) -> None:
        make_entry()
        self.fail_once()

        self.assertEqual((self.broken.attempts, self.broken.last_error), (1, "KeyError: 'totals'"))
        self.assertEqual(list(OutboxEvent.objects.filter(processed_at=None)), [self.broken])

    def test_a_failing_event_waits_longer_each_time_and_is_given_up(self) -> None:
        waits = []
        for _ in range(outbox.MAX_ATTEMPTS):
            self.fail_once()
            waits.append(self.broken.next_attempt_at - timezone.now())
            self.assertEqual(outbox.drain(), 0)
            OutboxEvent.objects.update(next_attempt_at=timezone.now())

        self.assertEqual([round(wait.total_seconds()) for wait in waits], [10, 20, 40, 80, 160])
        self.assertEqual(outbox.drain(), 0)

    def test_the_databases_failure_uses_up_no_attempt(self) -> None:
        OutboxEvent.objects.all().delete()
        make_entry()
        with patch("tracker.outbox.refresh_total", side_effect=OperationalError), self.assertRaises(OperationalError):
            outbox.drain()
        self.assertEqual(OutboxEvent.objects.get().attempts, 0)


@skipUnlessDBFeature("has_select_for_update_skip_locked")
class ConcurrencyTests(TransactionTestCase):
    def drain_elsewhere(self) -> int:
        """Drain on another connection, as a second worker would."""
        claimed = []

        def second_worker() -> None:
            claimed.append(outbox.drain())
            connection.close()

        thread = threading.Thread(target=second_worker)
        thread.start()
        thread.join(timeout=10)
        return claimed[0]

    def test_a_second_worker_skips_what_the_first_one_holds(self) -> None:
        for day in (DAY, "2025-03-16", "2025-03-17"):
            make_entry(day=day)

        with transaction.atomic():
            held = OutboxEvent.objects.select_for_update().order_by("pk").first()
            self.assertEqual(self.drain_elsewhere(), 2)
        self.assertEqual(list(OutboxEvent.objects.filter(processed_at=None)), [held])

    def test_an_uncommitted_entry_is_not_seen(self) -> None:
        with transaction.atomic():
            make_entry()
            self.assertEqual(self.drain_elsewhere(), 0)
        self.assertEqual(self.drain_elsewhere(), 1)

    def test_entries_are_added_while_a_worker_computes_their_project(self) -> None:
        make_entry("09:00", "10:00")
        done = threading.Event()

        def add_another() -> None:
            make_entry("10:00", "11:00")
            connection.close()
            done.set()

        def refresh_slowly(project: int, day: date) -> None:
            threading.Thread(target=add_another).start()
            self.assertTrue(done.wait(timeout=10))

        with patch("tracker.outbox.refresh_total", refresh_slowly):
            self.assertEqual(outbox.drain(), 1)
        self.assertLess(timezone.now() - OutboxEvent.objects.latest("pk").created_at, timedelta(seconds=10))
