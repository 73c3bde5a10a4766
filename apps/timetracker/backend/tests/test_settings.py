"""Settings are read once, at import, so each case here is a process of its own."""

import os
import subprocess
import sys

from django.conf import settings
from django.test import SimpleTestCase


class SettingsTests(SimpleTestCase):
    def run_with(self, expression: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Import the settings under these variables alone and print the expression."""
        return subprocess.run(
            [sys.executable, "-B", "-c", f"from config import settings; print({expression})"],
            env={"PATH": os.environ["PATH"]} | variables,
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )

    def value(self, expression: str, **variables: str) -> str:
        done = self.run_with(f"settings.{expression}", **{"SECRET_KEY": "k" * 50} | variables)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def test_production_refuses_a_missing_or_short_secret_key(self) -> None:
        for key in ("", "k" * 49):
            with self.subTest(length=len(key)):
                done = self.run_with(SECRET_KEY=key)
                self.assertNotEqual(done.returncode, 0)
                last_line = done.stderr.strip().splitlines()[-1]
                self.assertRegex(last_line, rf"ImproperlyConfigured: SECRET_KEY has {len(key)} characters.*at least 50")

    def test_development_needs_no_secret_key(self) -> None:
        self.assertEqual(self.run_with("settings.DEBUG", DEBUG="True").stdout, "True\n")

    def test_debug_is_off_unless_asked_for(self) -> None:
        self.assertEqual(self.value("DEBUG"), "False")

    def test_a_flag_that_is_neither_is_refused(self) -> None:
        self.assertIn("DEBUG is 'maybe'; write True or False.", self.run_with(DEBUG="maybe").stderr)

    def test_localhost_is_always_allowed(self) -> None:
        self.assertEqual(
            self.value("ALLOWED_HOSTS", ALLOWED_HOSTS=" time.example.com, "), "['time.example.com', 'localhost']"
        )

    def test_cookies_are_secure_when_every_origin_is_https(self) -> None:
        cases = {"": "False", "https://a.example": "True", "https://a.example,http://b.example": "False"}
        for origins, secure in cases.items():
            with self.subTest(origins):
                self.assertEqual(self.value("SESSION_COOKIE_SECURE", CSRF_TRUSTED_ORIGINS=origins), secure)

    def test_the_forwarded_scheme_is_trusted_in_production_only(self) -> None:
        code = "getattr(settings, 'SECURE_PROXY_SSL_HEADER', None)"
        self.assertEqual(self.run_with(code, DEBUG="True").stdout, "None\n")
        self.assertIn("HTTP_X_FORWARDED_PROTO", self.run_with(code, SECRET_KEY="k" * 50).stdout)

    def test_the_database_is_the_seven_variables(self) -> None:
        database = self.value(
            "DATABASES['default']", DB_NAME="a", DB_USER="b", DB_PASSWORD="c", DB_HOST="d", DB_PORT="6"
        )
        for part in ("'NAME': 'a'", "'USER': 'b'", "'PASSWORD': 'c'", "'HOST': 'd'", "'PORT': '6'"):
            self.assertIn(part, database)
        self.assertIn("sqlite3", self.value("DATABASES", USE_SQLITE="True"))
