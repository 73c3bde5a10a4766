"""Whether this process can serve."""

import logging
from typing import Any

from flask import Blueprint, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from .database import db
from .version import APP_VERSION

blueprint = Blueprint("health", __name__)
logger = logging.getLogger(__name__)


@blueprint.get("/health")
def health() -> Any:
    """200, or 503 when the database gives no answer; only the log says why."""
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        logger.warning("database unavailable: %s", str(error).partition("\n")[0])
        answer = jsonify(status="unavailable")
        answer.status_code = 503
    else:
        answer = jsonify(status="ok", version=APP_VERSION)
    answer.headers["Cache-Control"] = "no-store"
    return answer
