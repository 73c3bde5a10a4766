"""What one round trip to a host found."""

from deploy.model.facts.found import ARCHITECTURES, Container, Facts, Mounted, OnCluster
from deploy.model.facts.machine import Machine
from deploy.model.facts.parse import parse_facts, parse_mounted, sections_of

__all__ = [
    "ARCHITECTURES",
    "Container",
    "Facts",
    "Machine",
    "Mounted",
    "OnCluster",
    "parse_facts",
    "parse_mounted",
    "sections_of",
]
