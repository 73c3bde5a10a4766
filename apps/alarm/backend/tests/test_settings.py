import os
from unittest.mock import patch

from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase

from config import env


class SecretTests(SimpleTestCase):
    def secret(self, **environment: str) -> str:
        with patch.dict(os.environ, environment):
            return env.secret("PANEL_CODE", least=6, development="123456")

    def test_production_has_one_of_its_own(self) -> None:
        self.assertEqual(self.secret(DEBUG="False", PANEL_CODE="a1b2c3"), "a1b2c3")
        for short in ("", "12345"):
            with self.assertRaisesMessage(ImproperlyConfigured, "PANEL_CODE has"):
                self.secret(DEBUG="False", PANEL_CODE=short)

    def test_development_may_go_without(self) -> None:
        self.assertEqual(self.secret(DEBUG="True", PANEL_CODE=""), "123456")
        self.assertEqual(self.secret(DEBUG="True", PANEL_CODE="1"), "1")

    def test_a_flag_is_true_or_false(self) -> None:
        with self.assertRaisesMessage(ImproperlyConfigured, "write True or False"):
            self.secret(DEBUG="yes")
