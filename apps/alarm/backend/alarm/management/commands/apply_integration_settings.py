"""`manage.py apply_integration_settings`: what every start of the container does before it serves."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError

from alarm import integrations


class Command(BaseCommand):
    help = "Write the environment's sensors, delays and webhook into the database."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            changes = integrations.apply(integrations.read(os.environ))
        except integrations.Invalid as error:
            raise CommandError(str(error)) from error
        except ProgrammingError as error:
            raise CommandError("the database has no tables yet: run manage.py migrate first") from error
        self.stdout.write(f"Integration settings: {', '.join(changes) or 'nothing changed'}.")
