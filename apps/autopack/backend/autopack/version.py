"""The application's version, shown at the foot of the page and at /api/version."""

APP_VERSION = "1.0.0"
