"""Settings, all of them read from the environment variables that .env.example documents."""

import secrets

from . import env

DEBUG = env.flag("DEBUG")

# There are no sessions, cookies or signed links: nothing outlives the process that would be signed with it.
SECRET_KEY = secrets.token_urlsafe(50)

# Arms and disarms. Sensors and their gateway have a token of their own, as a sensor is easier to take away than a code.
PANEL_CODE = env.secret("PANEL_CODE", least=6, development="123456")
GATEWAY_TOKEN = env.secret("GATEWAY_TOKEN", least=20, development="development")

# `localhost` is the container's own health check.
ALLOWED_HOSTS = [*env.words("ALLOWED_HOSTS", "*" if DEBUG else ""), "localhost"]

# daphne gives `runserver` WebSockets, and its reloading with them; in production Daphne is started by config/serve.py.
INSTALLED_APPS = [*(["daphne"] if DEBUG else []), "alarm"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
APPEND_SLASH = False

# Under ASGI every request has a thread of its own, so a connection per thread would never be used again. Whoever waits for
# one tries anew after five seconds: left alone, the pool of a database that was away for long stays away as long again.
POOL = {"min_size": 1, "max_size": 10, "timeout": 10, "reconnect_timeout": 5}
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": env.text("DB_NAME", "alarm"),
        "USER": env.text("DB_USER", "alarm"),
        "PASSWORD": env.text("DB_PASSWORD"),
        "HOST": env.text("DB_HOST", "db"),
        "PORT": env.text("DB_PORT", "5432"),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            # A database that does not answer must cost a request seconds, not the kernel's two minutes.
            "connect_timeout": 10,
            **({"pool": POOL} if env.flag("DB_POOL") else {}),
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # Django's own handler prints only while DEBUG is on; these records go to the root's instead.
        "django": {"handlers": [], "level": "INFO"},
        # A refused code is an answer, not an event of the server's; whoever asked is in nginx's log.
        "django.request": {"level": "ERROR"},
        "daphne": {"level": "WARNING"},
    },
}
