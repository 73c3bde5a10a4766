"""Commands of `flask`."""

import sys

import click
from flask import Flask
from flask.cli import with_appcontext
from sqlalchemy import select
from werkzeug.security import generate_password_hash

from .database import db
from .models import EMAIL_LENGTH, User

PASSWORD_MIN_LENGTH = 12


def init_app(app: Flask) -> None:
    app.cli.add_command(create_admin)


@click.command("create-admin")
@click.argument("email")
@click.option("--reset-password", is_flag=True, help="Give an account that exists a new password.")
@with_appcontext
def create_admin(email: str, *, reset_password: bool) -> None:
    """Make the account of an admin.

    The password is asked for on a terminal, and otherwise read from standard input: never from the command line, which
    every process of the machine can see.
    """
    email = email.strip().lower()
    if "@" not in email or len(email) > EMAIL_LENGTH:
        raise click.ClickException(f"{email} is not an email address.")
    user = db.session.scalar(select(User).where(User.email == email))
    if user and not reset_password:
        raise click.ClickException(f"{email} has an account; --reset-password gives it a new password.")
    password = _password()
    if len(password) < PASSWORD_MIN_LENGTH:
        raise click.ClickException(f"The password has {len(password)} characters; {PASSWORD_MIN_LENGTH} are needed.")
    if user is None:
        user = User(email=email)
        db.session.add(user)
    user.is_admin = True
    user.password_hash = generate_password_hash(password)
    db.session.commit()
    click.echo(f"{email} may sign in as admin.")


def _password() -> str:
    if sys.stdin.isatty():
        password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return password
    return sys.stdin.readline().rstrip("\r\n")
