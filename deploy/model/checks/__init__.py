"""What can be known to go wrong before anything is touched: every problem at once, each with its remedy."""

from deploy.model.checks.builder import check_builder
from deploy.model.checks.by_hand import check_by_hand
from deploy.model.checks.carried import check_carried
from deploy.model.checks.catalogue import HOST_RULES, with_reasons
from deploy.model.checks.host import check_frozen, check_host
from deploy.model.checks.machine import check_machine
from deploy.model.checks.majors import check_majors
from deploy.model.checks.memory import check_memory
from deploy.model.checks.places import Needed, check_places, needed_on_host
from deploy.model.checks.problem import Locate, Problem, place_of, require_none
from deploy.model.checks.proof import check_proof
from deploy.model.checks.schedule import check_schedule
from deploy.model.checks.start_period import check_start_period
from deploy.model.checks.way_in import check_firewall, check_names

__all__ = [
    "HOST_RULES",
    "Locate",
    "Needed",
    "Problem",
    "check_builder",
    "check_by_hand",
    "check_carried",
    "check_firewall",
    "check_frozen",
    "check_host",
    "check_machine",
    "check_majors",
    "check_memory",
    "check_names",
    "check_places",
    "check_proof",
    "check_schedule",
    "check_start_period",
    "needed_on_host",
    "place_of",
    "require_none",
    "with_reasons",
]
