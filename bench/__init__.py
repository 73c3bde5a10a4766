"""Measurements against what a user would do instead, side by side in one run. Never part of the tests."""
