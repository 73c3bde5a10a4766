from unittest.mock import patch

from django.db import InterfaceError, OperationalError
from django.test import TestCase


class HealthTests(TestCase):
    def test_it_is_ok_while_the_database_answers(self) -> None:
        response = self.client.get("/api/health")
        self.assertEqual((response.status_code, response.json()["status"]), (200, "ok"))

    def test_it_is_unavailable_and_keeps_the_reason_to_itself(self) -> None:
        for error in (OperationalError, InterfaceError):
            down = patch("tracker.views.connection.cursor", side_effect=error("db.internal refused"))
            with self.subTest(error), down, self.assertLogs("tracker.views", "WARNING"):
                response = self.client.get("/api/health")
                self.assertEqual((response.status_code, response.json()), (503, {"status": "unavailable"}))

    def test_it_is_never_cached(self) -> None:
        self.assertIn("no-store", self.client.get("/api/health").headers["Cache-Control"])

    def test_the_containers_own_host_name_is_allowed(self) -> None:
        self.assertEqual(self.client.get("/api/health", headers={"host": "localhost"}).status_code, 200)
