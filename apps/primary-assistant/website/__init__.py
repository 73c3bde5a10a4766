"""Primary Assistant: a training log, and an assistant that says what to do next."""

import logging.config
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from . import api, auth, cli, health, logs, pages, photos, statics
from .config import from_environment
from .database import db, migrate
from .sessions import SchemeAwareSessions, csrf

ROOT = Path(__file__).resolve().parent.parent


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """The WSGI application, configured by environment variables. Raises ConfigError when one of them cannot be."""
    # Static files have a route of their own, with a digest in it.
    app = Flask(__name__, static_folder=None)
    app.config.from_mapping(from_environment(os.environ, debug=app.debug))
    app.config.from_mapping(overrides or {})
    logging.config.dictConfig(logs.settings(app.config["LOG_LEVEL"]))

    if proxies := app.config["TRUSTED_PROXIES"]:
        # The client's address and scheme, as the last of so many proxies of ours saw them.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    app.session_interface = SchemeAwareSessions()
    db.init_app(app)
    migrate.init_app(app, db, directory=str(ROOT / "migrations"))
    csrf.init_app(app)

    statics.init_app(app)
    for module in (api, auth, health, pages, photos, statics):
        app.register_blueprint(module.blueprint)
    # JSON can come from another site only after that site has asked, and is told no.
    csrf.exempt(api.blueprint)
    cli.init_app(app)
    return app
