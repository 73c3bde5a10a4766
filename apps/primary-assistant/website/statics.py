"""Static files under /static/<digest of all of them>/: another content has another address, and may be cached for long."""

import hashlib
from pathlib import Path

from flask import Blueprint, Flask, Response, send_from_directory, url_for

blueprint = Blueprint("statics", __name__)

FOLDER = Path(__file__).parent / "static"
DIGEST_LENGTH = 12


def digest() -> str:
    """Of every file's name and content."""
    found = hashlib.sha256()
    for path in sorted(path for path in FOLDER.rglob("*") if path.is_file()):
        content = path.read_bytes()
        found.update(f"{path.relative_to(FOLDER).as_posix()}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()[:DIGEST_LENGTH]


def init_app(app: Flask) -> None:
    """Give templates `static(name)`. Files change only where code is reloaded."""
    known = "" if app.debug else digest()

    @app.template_global()
    def static(name: str) -> str:
        return url_for("statics.show", digest=known or digest(), name=name)


@blueprint.get("/static/<digest>/<path:name>")
def show(digest: str, name: str) -> Response:  # noqa: ARG001 - any digest: the files are those of now
    """In production nginx serves these, from a volume that has those of the release before as well."""
    return send_from_directory(FOLDER, name)
