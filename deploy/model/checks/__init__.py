"""What can be known to go wrong before anything is touched: every problem at once, each with its remedy."""

from deploy.model.checks.host import check_frozen, check_host
from deploy.model.checks.local import check_stack
from deploy.model.checks.problem import Problem, require_none

__all__ = ["Problem", "check_frozen", "check_host", "check_stack", "require_none"]
