"""The version that /api/version and the page's footer show."""

APP_VERSION = "1.0.0"
