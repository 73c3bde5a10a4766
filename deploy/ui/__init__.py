"""What people see: steps that tick, tables, and sentences with units. Talk goes to stderr, data to stdout."""

from deploy.ui.console import Console, Step, columns
from deploy.ui.several import Several

__all__ = ["Console", "Several", "Step", "columns"]
