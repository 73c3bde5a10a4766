"""What people see: steps that tick, tables, and sentences with units. Talk goes to stderr, data to stdout."""

from deploy.ui.console import Console, Step

__all__ = ["Console", "Step"]
