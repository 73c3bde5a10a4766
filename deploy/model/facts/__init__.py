"""What one round trip to a host found."""

from deploy.model.facts.found import ARCHITECTURES, Container, Facts, Mounted
from deploy.model.facts.machine import Machine
from deploy.model.facts.parse import parse_facts, sections_of

__all__ = ["ARCHITECTURES", "Container", "Facts", "Machine", "Mounted", "parse_facts", "sections_of"]
