"""Env files: what compose reads in one, changing a value of one, making one from its documented example."""

from deploy.model.envfile.edit import quoted, require_name, with_value, without
from deploy.model.envfile.example import fill_example, random_text
from deploy.model.envfile.parse import Assignment, Unset, Variables, decoded, evaluate, parse, read

__all__ = [
    "Assignment",
    "Unset",
    "Variables",
    "decoded",
    "evaluate",
    "fill_example",
    "parse",
    "quoted",
    "random_text",
    "read",
    "require_name",
    "with_value",
    "without",
]
