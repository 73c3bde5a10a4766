"""Serve: `python -m autopack.serve [--reload]`. Ends with status 1 where the database is not this version's."""

from __future__ import annotations

import logging.config
import sys

import uvicorn
from sqlalchemy.exc import OperationalError

from autopack.database import connect, wait_for
from autopack.logs import LOGGING
from autopack.main import create_app
from autopack.schema import SchemaError, init_db
from autopack.settings import Settings, SettingsError

DRAIN_S = 30


def app() -> object:
    """For uvicorn, in whichever process it starts."""
    return create_app(Settings.read())


def main(*, reload: bool) -> None:
    logging.config.dictConfig(LOGGING)
    try:
        settings = Settings.read()
        engine = connect(settings.database_url)
        wait_for(engine)
        # here and not in the application: a supervisor would start a process that fails again and again
        init_db(engine, bootstrap=settings.bootstrap)
        engine.dispose()
    except (SettingsError, SchemaError, OperationalError) as error:
        logging.getLogger("autopack").critical("Not started: %s", error)
        sys.exit(1)
    uvicorn.run(
        "autopack.serve:app",
        factory=True,
        host="0.0.0.0",
        port=8000,
        reload=reload,
        reload_dirs=["autopack"] if reload else None,
        workers=None if reload else settings.workers,
        log_config=LOGGING,
        server_header=False,
        # only the stack's own proxy reaches this port, and it has checked the address
        forwarded_allow_ips="*",
        timeout_graceful_shutdown=DRAIN_S,
    )


if __name__ == "__main__":
    main(reload=sys.argv[1:] == ["--reload"])
