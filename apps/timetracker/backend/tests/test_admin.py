from django.contrib.auth.models import User
from django.test import TestCase
from django.urls import reverse

from tracker import outbox
from tracker.models import OutboxEvent

from .factories import make_entry


class AdminTests(TestCase):
    def setUp(self) -> None:
        self.client.force_login(User.objects.create_superuser("admin"))
        make_entry()
        outbox.drain()

    def test_every_model_is_listed_and_searched(self) -> None:
        for model in ("project", "task", "timeentry", "outboxevent", "dailytotal"):
            with self.subTest(model):
                page = self.client.get(reverse(f"admin:tracker_{model}_changelist"), {"q": "e"})
                self.assertEqual(page.status_code, 200)

    def test_what_the_worker_writes_is_not_edited_by_hand(self) -> None:
        for model in ("outboxevent", "dailytotal"):
            with self.subTest(model):
                self.assertEqual(self.client.get(reverse(f"admin:tracker_{model}_add")).status_code, 403)

    def test_an_event_that_was_given_up_is_retried(self) -> None:
        OutboxEvent.objects.update(processed_at=None, attempts=outbox.MAX_ATTEMPTS)
        self.assertEqual(outbox.drain(), 0)

        selected = {"action": "retry", "_selected_action": [OutboxEvent.objects.get().pk]}
        self.client.post(reverse("admin:tracker_outboxevent_changelist"), selected)
        self.assertEqual(outbox.drain(), 1)
