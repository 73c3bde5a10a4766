"""docs/checks.md is made from the rules."""

from __future__ import annotations

from deploy.model.rules import RULES
from deploy.ui.rules import rules_page
from tests.conftest import ROOT


def test_the_page_of_checks_is_what_the_rules_say() -> None:
    written = (ROOT / "docs/checks.md").read_text()

    assert written == rules_page(RULES), "inv prod.check --list > docs/checks.md makes it anew"


def test_every_rule_says_what_it_costs_and_what_mends_it() -> None:
    assert [one.id for one in RULES if not (one.title and one.why and one.fix)] == []
    assert len({one.id for one in RULES}) == len(RULES)
