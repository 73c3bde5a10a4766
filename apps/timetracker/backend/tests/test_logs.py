import logging

from django.test import SimpleTestCase

from config.logs import not_a_passed_health_check


class HealthCheckFilterTests(SimpleTestCase):
    def is_logged(self, path: str, status: str) -> bool:
        arguments = (f"GET {path} HTTP/1.1", status, "42")
        return not_a_passed_health_check(logging.LogRecord("django.server", 0, "", 0, '"%s" %s %s', arguments, None))

    def test_only_a_passed_health_check_is_left_out(self) -> None:
        self.assertFalse(self.is_logged("/api/health", "200"))
        self.assertTrue(self.is_logged("/api/health", "503"))
        self.assertTrue(self.is_logged("/api/entries", "200"))

    def test_records_of_another_shape_are_kept(self) -> None:
        self.assertTrue(not_a_passed_health_check(logging.LogRecord("django.server", 0, "", 0, "started", None, None)))
