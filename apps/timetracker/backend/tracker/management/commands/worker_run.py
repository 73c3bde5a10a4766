"""`manage.py worker_run`: the worker service's command."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.autoreload import run_with_reloader

from tracker import worker


class Command(BaseCommand):
    help = "Drain the outbox until SIGTERM or SIGINT."

    def add_arguments(self, parser: ArgumentParser) -> None:
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--once", action="store_true", help="drain what is due now, then exit")
        mode.add_argument("--reload", action="store_true", help="start again when the code changes (development)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            self.stdout.write(f"{worker.drain_everything()} events processed")
        elif options["reload"]:
            run_with_reloader(worker.run)
        else:
            worker.run()
