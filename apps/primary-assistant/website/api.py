"""Everything under /api/. A list of workouts is always one week's: `?week=` a day of it, or else this week."""

import dataclasses
from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from . import workouts
from .version import APP_VERSION

blueprint = Blueprint("api", __name__, url_prefix="/api")


@blueprint.get("/version")
def version() -> Response:
    return jsonify(version=APP_VERSION)


@blueprint.get("/workouts")
def list_workouts() -> Any:
    try:
        day = workouts.parse_day(request.args["week"]) if "week" in request.args else workouts.today()
    except ValueError:
        return jsonify(errors={"week": "must be a day, as YYYY-MM-DD"}), 400
    return jsonify([workout.to_json() for workout in workouts.of_week(day)])


@blueprint.post("/workouts")
def add_workout() -> Any:
    return jsonify(workouts.add(request.get_json()).to_json()), 201


@blueprint.get("/advice")
def advice() -> Response:
    return jsonify(dataclasses.asdict(workouts.advice_for(workouts.today())))


@blueprint.errorhandler(workouts.InvalidWorkout)
def invalid(error: workouts.InvalidWorkout) -> Any:
    return jsonify(errors=error.errors), 400


@blueprint.errorhandler(HTTPException)
def failed(error: HTTPException) -> Any:
    return jsonify(error=error.name), error.code


@blueprint.after_request
def not_cached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
