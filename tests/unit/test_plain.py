"""A release as one plain compose document."""

from __future__ import annotations

from pathlib import Path

from deploy.model.places import Places
from deploy.model.plain import plain_document
from deploy.model.render import render_data, render_release
from tests.unit.examples import LAYOUT, record, stack


def test_both_documents_become_one_that_refers_to_copies_and_publishes_its_ports() -> None:
    release, found = record(), stack()
    images = {name: one.image for name, one in release.services.items()}
    places = Places(Path("/src"))
    app = render_release(found, images, LAYOUT, release.id, places).document
    data = render_data(found, images, LAYOUT, places, {"db": {"file init": "1"}}).document
    assert "windlass.files" in data["services"]["db"]["labels"]

    plain = plain_document(app, data, release, LAYOUT)

    assert plain["name"] == "shop"
    assert set(plain["services"]) == {"db", "backend", "worker", "nginx"}
    assert plain["services"]["nginx"]["ports"] == [
        {"mode": "ingress", "target": 80, "published": "80", "protocol": "tcp"}
    ]
    assert "ports" not in plain["services"]["backend"]
    assert plain["services"]["db"]["volumes"][1]["source"] == "/opt/shop/plain/data/files/init"
    assert plain["services"]["db"]["labels"] == {}
    assert plain["services"]["backend"]["volumes"][1]["source"] == "/opt/shop/shared/data", "stays where it is"
    assert plain["volumes"]["pg"]["external"]
    assert all("name" not in network for network in plain["networks"].values())
    assert "windlass.files" in data["services"]["db"]["labels"], "what was given is not changed"
