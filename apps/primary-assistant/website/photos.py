"""Photos: kept in the folder of uploads under names of ours, known by their first bytes and not by what they are called."""

import os
import secrets
from pathlib import Path

from flask import Blueprint, Response, abort, current_app, send_from_directory
from werkzeug.datastructures import FileStorage

blueprint = Blueprint("photos", __name__)

LONGEST_SIGNATURE = 12
CACHE_S = 7 * 24 * 3600


def save(file: FileStorage) -> str:
    """Keep an uploaded photo; its new name. Aborts with 415 when it is none."""
    kind = _kind(file.stream.read(LONGEST_SIGNATURE))
    if not kind:
        abort(415, "A photo is a JPEG, PNG, GIF or WebP file.")
    file.stream.seek(0)
    name = f"{secrets.token_hex(16)}.{kind}"
    path = _folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    # It appears whole: a backup of the folder must not find half of one.
    unfinished = path.with_name(f".{name}")
    file.save(unfinished)
    # nginx, which is somebody else, serves it.
    unfinished.chmod(0o644)
    os.replace(unfinished, path)
    return name


def remove(name: str) -> None:
    """Remove a photo that nothing names any more."""
    if name:
        (_folder() / name).unlink(missing_ok=True)


@blueprint.get("/uploads/<name>")
def show(name: str) -> Response:
    """In production nginx serves these."""
    return send_from_directory(_folder(), name, max_age=CACHE_S)


def _folder() -> Path:
    return Path(current_app.config["UPLOAD_FOLDER"])


def _kind(start: bytes) -> str:
    if start.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if start.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return "webp"
    return ""
