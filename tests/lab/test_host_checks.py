"""What is told of a host before anything is built: all of it at once."""

from __future__ import annotations

import json

from tests.lab.conftest import RemoteHost
from tests.project import Project

INVOKE = "deploy: {environments: {prod: {acme: false, domains: {nginx: [shop.invalid]}}}}\n"
LARGE = "    image: nginx:alpine\n    mem_limit: 9000g\n"


def plan(shop: Project) -> str:
    return shop.inv("prod.plan", "--host", "sandbox").stderr


def test_all_that_is_wrong_with_a_host_is_told_before_anything_is_built(shop: Project, host: RemoteHost) -> None:
    (shop.root / "invoke.yaml").write_text(INVOKE)
    shop.edit("compose.yaml", "    image: nginx:alpine\n", LARGE)
    host.sh("touch /run/reboot-required; rm -rf /var/lib/apt/lists/partial")
    host.sh("touch -d '41 days ago' /var/lib/apt/lists")
    host.sh(f"mkdir -p /opt/{shop.name} && touch /opt/{shop.name}/x && chown -R deploy /opt/{shop.name}")
    host.sh(f"""printf '{{"by": "ada", "since": "now", "message": "payment run"}}' >/opt/{shop.name}/frozen.json""")

    done = shop.inv("prod.deploy", "--host", "sandbox", "--yes", expect=1)

    assert "1 problem found before anything was touched" in done.stderr
    assert "locked by ada since now: payment run" in done.stderr
    assert "Build" not in done.stderr

    host.sh(f"rm /opt/{shop.name}/frozen.json")
    told = plan(shop)
    assert "! updates wait for a restart of the machine → reboot it" in told
    assert "! nobody has asked for updates of its packages for 41 days" in told
    assert "! shop.invalid leads nowhere: no DNS has it, or not yet → let it lead to " in told
    assert "! two releases side by side may want 19327.4 GB of memory (nginx 9663.7 GB by its limit)" in told
    checked = json.loads(shop.inv("prod.check", "--host", "sandbox", "--json").stdout)
    assert {"host-updates", "host-dns", "host-memory"} <= {one["rule"] for one in checked}
    host.sh("rm /run/reboot-required; touch /var/lib/apt/lists")


def test_a_host_that_cannot_be_reached_is_told_with_what_is_wrong_here(shop: Project) -> None:
    shop.edit("compose.yaml", "services:\n", "x-nobody: ${NOBODY_SETS_THIS}\nservices:\n")
    checked = json.loads(shop.inv("prod.check", "--host", "nobody.invalid", "--json", expect=1).stdout)
    shop.edit("compose.yaml", "x-nobody: ${NOBODY_SETS_THIS}\n", "")

    assert "undefined-variable" in {one["rule"] for one in checked}
    (reached,) = (one for one in checked if one["rule"] == "host-reached")
    assert (reached["severity"], "nobody.invalid" in reached["message"]) == ("error", True)


def test_a_release_is_measured_and_its_ports_are_tried(shop: Project, host: RemoteHost) -> None:
    (shop.root / "invoke.yaml").unlink()
    shop.edit("compose.yaml", LARGE, "    image: nginx:alpine\n")
    shop.inv("prod.deploy", "--host", "sandbox", "--yes")
    assert "cannot be reached" not in plan(shop)

    shop.edit("compose.yaml", "    image: nginx:alpine\n", LARGE)
    shut = "DOCKER-USER -p tcp -m conntrack --ctorigdstport 80 -j DROP"
    host.sh(f"iptables -I {shut}")
    try:
        told = plan(shop)
    finally:
        host.sh(f"iptables -D {shut}")
        shop.edit("compose.yaml", LARGE, "    image: nginx:alpine\n")
    assert "! port 80 (for nginx) is listened on there, and cannot be reached from here" in told
    assert "GB by its limit" not in told, "what the live release has counts for more than a limit"


def test_a_plan_for_a_script_has_them_too(shop: Project, host: RemoteHost) -> None:
    host.sh("touch /run/reboot-required")

    document = json.loads(shop.inv("prod.plan", "--host", "sandbox", "--json").stdout)
    host.sh("rm /run/reboot-required")

    warnings = document["warnings"] if isinstance(document, dict) else document[0]["warnings"]
    assert "updates wait for a restart of the machine → reboot it" in warnings
