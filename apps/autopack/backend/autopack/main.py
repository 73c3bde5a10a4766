"""The application: its parts put together, and what it does when it starts and stops."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from autopack.api import router
from autopack.database import connect
from autopack.memory import Memories, Reconciler
from autopack.settings import Settings
from autopack.vectors import VectorError, Vectors
from autopack.version import APP_VERSION

WAIT_FOR_QDRANT_S = 30.0
log = logging.getLogger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """The application on a database whose schema is right and a Qdrant that is there or will be soon."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = connect(settings.database_url)
        vectors = Vectors(settings.qdrant_url, settings.qdrant_api_key, settings.collection_prefix)
        app.state.engine, app.state.memories = engine, Memories(engine, vectors)
        # nobody searches before every memory has its vector: this version may be the first to make them this way
        await run_in_threadpool(compare, app.state.memories)
        reconciler = Reconciler(app.state.memories, settings.reconcile_s)
        reconciler.start()
        yield
        await run_in_threadpool(reconciler.stop)
        vectors.close()
        engine.dispose()

    app = FastAPI(title="Autopack", version=APP_VERSION, lifespan=lifespan, openapi_url="/api/openapi.json")
    app.include_router(router)
    app.add_api_route("/health", health, methods=["GET"])
    app.add_exception_handler(SQLAlchemyError, without_database)
    return app


def compare(memories: Memories) -> None:
    """The first comparison, which waits for Qdrant: after a reboot nobody starts it first. Raises VectorError."""
    until = time.monotonic() + WAIT_FOR_QDRANT_S
    while True:
        try:
            memories.reconcile(wait=True)
        except VectorError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
        else:
            return


def health(request: Request) -> Response:
    """200 as long as the database answers; without it nothing works."""
    with request.app.state.engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    return JSONResponse({"status": "ok", "version": APP_VERSION})


async def without_database(_: Request, error: Exception) -> Response:
    """The answer where the database failed. What it said is for the log, not for visitors."""
    log.error("The database failed: %s", error)
    return JSONResponse({"detail": "the database does not answer"}, HTTPStatus.SERVICE_UNAVAILABLE)
