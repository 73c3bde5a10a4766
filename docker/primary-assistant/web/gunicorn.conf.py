"""gunicorn in production: four synchronous workers, forked after the application is loaded once."""

import os
import shutil
from logging import LogRecord
from pathlib import Path

from gunicorn.arbiter import Arbiter
from website import statics

PUBLISHED = Path("/srv/static")


def publish_statics() -> None:
    """Copy this image's static files to the volume that nginx serves, beside those of other releases.

    They appear whole, by a rename, under the digest that their addresses have: who was given a page by another release
    still gets the files of that page.
    """
    target = PUBLISHED / statics.digest()
    if target.exists():
        return
    unfinished = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    shutil.copytree(statics.FOLDER, unfinished)
    try:
        unfinished.rename(target)
    except OSError:
        # Another container was quicker.
        shutil.rmtree(unfinished)


def not_a_passed_health_check(record: LogRecord) -> bool:
    """False for what, every two seconds, would push everything else out of the log."""
    return (record.args["U"], record.args["s"]) != ("/health", "200")


def on_starting(server: Arbiter) -> None:
    server.log.access_log.addFilter(not_a_passed_health_check)
    publish_statics()


wsgi_app = "website:create_app()"
bind = "0.0.0.0:8000"
workers = int(os.environ.get("GUNICORN_WORKERS") or 4)
preload_app = True

# The heartbeat files of the workers; on a disk they could block.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - gunicorn makes names of its own there
control_socket_disable = True

# nginx gives up a little later, so that it is the application that says what went wrong.
timeout = 60
graceful_timeout = 30

accesslog = "-"
# nginx writes the client's address there, having checked it.
access_log_format = '%({x-forwarded-for}i)s "%(r)s" %(s)s %(b)s %(M)sms'
