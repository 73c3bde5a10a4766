"""Signing in and out. Every attempt is kept with the address it came from, for ninety days."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Blueprint, abort, g, redirect, render_template, request, session, url_for
from sqlalchemy import delete, select
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Response

from .database import db
from .models import EMAIL_LENGTH, SignIn, User, now

blueprint = Blueprint("auth", __name__, url_prefix="/auth")
P = ParamSpec("P")
R = TypeVar("R")

KEPT = timedelta(days=90)
# What a password is compared with when there is no such user, so that both take as long.
NOBODY = generate_password_hash("nobody has this password")


def current_user() -> User | None:
    """Who is signed in with this request."""
    if "user" not in g:
        number = session.get("user")
        g.user = db.session.get(User, number) if number is not None else None
    user: User | None = g.user
    return user


def sign_in_required(view: Callable[P, R]) -> Callable[P, R]:
    """401 for those who are not signed in."""

    @wraps(view)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if current_user() is None:
            abort(401)
        return view(*args, **kwargs)

    return checked


@blueprint.get("/login")
def login_form() -> str:
    return render_template("login.html")


@blueprint.post("/login")
def login() -> Any:
    email = request.form.get("email", "").replace("\0", "").strip().lower()[:EMAIL_LENGTH]
    user = db.session.scalar(select(User).where(User.email == email))
    matches = check_password_hash(user.password_hash if user else NOBODY, request.form.get("password", ""))
    succeeded = user is not None and matches
    db.session.add(SignIn(email=email, address=request.remote_addr or "", succeeded=succeeded))
    db.session.execute(delete(SignIn).where(SignIn.at < now() - KEPT))
    db.session.commit()
    if user is None or not matches:
        return render_template("login.html", email=email, failed=True), 401
    session.clear()
    session["user"] = user.id
    return redirect(url_for("pages.index"), 303)


@blueprint.post("/logout")
def logout() -> Response:
    session.clear()
    return redirect(url_for("pages.index"), 303)
