"""A stack as a graph, as Mermaid and as a picture."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET

import pytest

from deploy.model.graph import Edge, graph_of
from deploy.model.layered import Box, lay_out
from deploy.model.stack import parse_stack
from deploy.ui.mermaid import mermaid
from deploy.ui.svg import svg
from tests.unit.examples import model, stack

SVG = "{http://www.w3.org/2000/svg}"


def test_a_graph_has_services_ports_networks_and_volumes() -> None:
    graph = graph_of(stack(), "shop (prod)")

    nginx = next(node for node in graph.nodes if node.name == "nginx")
    assert (nginx.ports, nginx.networks, nginx.volumes) == (("80 → 80",), ("default",), ("media",))
    assert graph.edges == (Edge("backend", "db", declared=True), Edge("nginx", "backend", declared=True))
    assert graph.volumes == ("pg", "media")


@pytest.mark.parametrize(
    ("key", "value", "leads"),
    [
        ("DATABASE_URL", "postgres://shop:s3cret@db:5432/shop", True),
        ("API", "http://db/path", True),
        ("CACHE", "db:6379", True),
        ("KAFKA", "other:9092,db:9092", True),
        ("DB_HOST", "db", True),
        ("POSTGRES_USER", "db", False),
        ("URL", "http://db.example.com/", False),
        ("NAME", "my-db:1", False),
    ],
)
def test_a_variable_that_is_an_address_of_a_service_is_an_edge(key: str, value: str, leads: bool) -> None:
    document = model()
    document["services"]["worker"]["environment"] = {key: value}

    edges = graph_of(parse_stack(document), "x").edges

    assert (Edge("worker", "db", declared=False) in edges) == leads


def test_mermaid_names_everything_once() -> None:
    lines = mermaid(graph_of(stack(), 'a "shop": prod')).splitlines()

    assert lines[:4] == ["---", 'title: "a \\"shop\\": prod"', "---", "flowchart TB"]
    assert '  p_nginx_0>"80 → 80"] --> s_nginx' in lines
    assert '  subgraph networks0["network default"]' in lines
    assert '    s_db[("<b>db</b><br/>data<br/><small>postgres:17</small>")]:::data' in lines
    assert '    s_worker[["<b>worker</b><br/>worker<br/><small>built here</small>"]]:::worker' in lines
    assert "  s_nginx --> s_backend" in lines
    assert '  v_pg[/"pg"/]' in lines
    assert "  s_db --- v_pg" in lines


def test_groups_are_by_networks_and_do_not_overlap() -> None:
    document = model()
    document["services"]["backend"]["networks"] = {"front": None, "back": None}
    document["services"]["db"]["networks"] = {"back": None}
    document["services"]["nginx"]["networks"] = {"front": None}
    document["services"]["worker"]["network_mode"] = "host"
    document["services"]["worker"].pop("networks")

    text = mermaid(graph_of(parse_stack(document), "x"))

    headings = [line.strip().split('"')[1] for line in text.splitlines() if "subgraph" in line]
    assert headings == ["network back", "networks back and front", "no network of the stack", "network front"]


def test_names_that_mermaid_takes_for_its_own_words_are_safe() -> None:
    document = model()
    document["services"]["end"] = {"image": "x"}
    document["services"]["a-b"] = {"image": "x"}
    document["services"]["a_b"] = {"image": "x"}

    text = mermaid(graph_of(parse_stack(document), "x"))

    assert "    s_end[" in text
    assert "    s_a_2d_b[" in text
    assert "    s_a_5f_b[" in text


def test_the_picture_is_one_document_with_every_name() -> None:
    document = model()
    document["services"]["nginx"]["image"] = "registry.example.com/<odd>&image"
    picture = svg(graph_of(parse_stack(document), "shop & co"))

    root = ET.fromstring(picture)  # noqa: S314  # our own text
    texts = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]

    assert {"db", "backend", "worker", "nginx", "pg", "media", "80 → 80", "shop & co", "network default"} <= set(texts)
    assert any("<odd>&image" in text for text in texts)
    assert "s3cret" not in picture


def test_no_box_lies_over_another_and_all_are_inside() -> None:
    boxes = {name: Box(80 + 7 * number, 40) for number, name in enumerate("abcdefghij")}
    arrows = [
        ("a", "b"),
        ("a", "c"),
        ("b", "d"),
        ("c", "d"),
        ("a", "d"),
        ("e", "d"),
        ("d", "f"),
        ("a", "g"),
        ("h", "g"),
    ]
    layout = lay_out(boxes, arrows, gap_x=50, gap_y=10)

    for one, other in itertools.combinations(boxes, 2):
        (x, y), (u, v) = layout.places[one], layout.places[other]
        apart = x + boxes[one].width <= u or u + boxes[other].width <= x or y + 40 <= v or v + 40 <= y
        assert apart, (one, other)
    for name, (x, y) in layout.places.items():
        assert 0 <= x <= layout.width - boxes[name].width
        assert 0 <= y <= layout.height - 40 + 0.01


def test_arrows_run_from_left_to_right_and_past_boxes() -> None:
    boxes = dict.fromkeys("abcd", Box(80, 40))
    layout = lay_out(boxes, [("a", "b"), ("b", "c"), ("a", "c"), ("c", "a")], gap_x=50, gap_y=10)

    assert layout.places["a"][0] < layout.places["b"][0] < layout.places["c"][0]
    (enters, y), (leaves, same) = layout.routes["a", "c"]
    left, top = layout.places["b"]
    assert (enters, leaves, y) == (left, left + 80, same)
    assert not top < y < top + 40, "the arrow from a to c goes past b, not through it"


def test_what_nothing_leads_to_stands_beside_what_it_leads_to() -> None:
    boxes = dict.fromkeys("abcp", Box(80, 40))
    layout = lay_out(boxes, [("a", "b"), ("b", "c"), ("p", "c")], gap_x=50, gap_y=10)

    assert layout.places["p"][0] == layout.places["b"][0]


def test_nothing_is_a_picture_too() -> None:
    assert lay_out({}, [], gap_x=1, gap_y=1).width == 0
