"""Env files: what compose reads in one, changing a value of one, making one from its documented example."""

from deploy.model.envfile.check import Example, Finding, check_env
from deploy.model.envfile.compare import Row, Same, compare, compare_with_live
from deploy.model.envfile.edit import quoted, require_name, with_value, without
from deploy.model.envfile.example import documented, fill_example, generated, generators, random_text
from deploy.model.envfile.parse import Assignment, Unset, Variables, decoded, evaluate, parse, read
from deploy.model.envfile.restore import restored
from deploy.model.envfile.sealed import Seal, sealed_by
from deploy.model.envfile.template import names_in
from deploy.model.envfile.uses import OURS, Recovered, Uses, recovered, uses_of

__all__ = [
    "OURS",
    "Assignment",
    "Example",
    "Finding",
    "Recovered",
    "Row",
    "Same",
    "Seal",
    "Unset",
    "Uses",
    "Variables",
    "check_env",
    "compare",
    "compare_with_live",
    "decoded",
    "documented",
    "evaluate",
    "fill_example",
    "generated",
    "generators",
    "names_in",
    "parse",
    "quoted",
    "random_text",
    "read",
    "recovered",
    "require_name",
    "restored",
    "sealed_by",
    "uses_of",
    "with_value",
    "without",
]
