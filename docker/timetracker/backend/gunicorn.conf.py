"""gunicorn in production: four workers, forked after the application is loaded once."""

import json
import os
import shutil
from logging import LogRecord
from pathlib import Path

from gunicorn.arbiter import Arbiter

COLLECTED = Path("/app/collected")
PUBLISHED = Path("/app/staticfiles")


def publish_static() -> None:
    """Copy this image's static files to the volume that nginx serves, beside those of other releases.

    Only hashed names go there, so a file that exists is the same file. Each appears whole, by a rename: several
    containers may start at once, and nginx may already be asked for it.
    """
    for name in json.loads((COLLECTED / "staticfiles.json").read_text())["paths"].values():
        target = PUBLISHED / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
            shutil.copyfile(COLLECTED / name, unfinished)
            unfinished.replace(target)


def not_a_passed_health_check(record: LogRecord) -> bool:
    """False for what, every two seconds, would push everything else out of the log."""
    return (record.args["U"], record.args["s"]) != ("/api/health", "200")


def on_starting(server: Arbiter) -> None:
    server.log.access_log.addFilter(not_a_passed_health_check)
    publish_static()


wsgi_app = "config.wsgi:application"
bind = "0.0.0.0:8000"
workers = int(os.environ.get("GUNICORN_WORKERS") or 4)
preload_app = True

# The heartbeat files of the workers; on a disk they could block.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - gunicorn makes names of its own there
control_socket_disable = True

# nginx gives up a little later, so that it is the backend that says what went wrong.
timeout = 60
graceful_timeout = 30

accesslog = "-"
# nginx writes the client's address there, having checked it.
access_log_format = '%({x-forwarded-for}i)s "%(r)s" %(s)s %(b)s %(M)sms'
