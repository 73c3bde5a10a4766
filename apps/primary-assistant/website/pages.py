"""The pages: this week, with its forms; and for admins, who signed in from where."""

from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response

from . import photos, workouts
from .assistant import WEEKLY_GOAL_MINUTES
from .auth import current_user, sign_in_required
from .database import db
from .models import SignIn, Workout
from .version import APP_VERSION

blueprint = Blueprint("pages", __name__)

MOST_SIGN_INS = 100


@blueprint.app_context_processor
def everywhere() -> dict[str, Any]:
    """What every template may use."""
    return {"version": APP_VERSION, "user": current_user()}


@blueprint.get("/")
def index() -> str:
    day = workouts.today()
    return render_template(
        "index.html",
        today=day,
        workouts=workouts.of_week(day),
        minutes=workouts.minutes_of_week(day),
        goal=WEEKLY_GOAL_MINUTES,
        advice=workouts.advice_for(day),
    )


@blueprint.post("/workouts/<int:number>/photo")
@sign_in_required
def add_photo(number: int) -> Response:
    workout = db.get_or_404(Workout, number)
    file = request.files.get("photo") or abort(400, "There is no photo in the form.")
    before, workout.photo = workout.photo, photos.save(file)
    db.session.commit()
    photos.remove(before)
    return redirect(url_for("pages.index"), 303)


@blueprint.post("/workouts/<int:number>/delete")
@sign_in_required
def delete(number: int) -> Response:
    workout = db.get_or_404(Workout, number)
    db.session.delete(workout)
    db.session.commit()
    photos.remove(workout.photo)
    return redirect(url_for("pages.index"), 303)


@blueprint.get("/admin/sign-ins")
@sign_in_required
def sign_ins() -> str:
    user = current_user()
    if user is None or not user.is_admin:
        abort(403)
    newest = select(SignIn).order_by(SignIn.at.desc()).limit(MOST_SIGN_INS)
    return render_template("sign_ins.html", sign_ins=db.session.scalars(newest).all())
