"""Rendering: the model as it is, and only what must change changed."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from deploy.model.places import Place, Placement, Places
from deploy.model.render import render_data, render_release, stack_volumes
from tests.unit.examples import LAYOUT, model, stack

PLACES = Places(Path("/src"))
IMAGES = {"db": "postgres:17", "backend": "shop/backend:aa", "worker": "shop/worker:aa", "nginx": "shop/nginx:bb"}
RELEASE = "20261121-120000-1a2b3c4"


def test_a_release_is_the_model_without_its_data_services() -> None:
    rendered = render_release(stack(), IMAGES, LAYOUT, RELEASE, PLACES)

    assert rendered.document == {
        "name": f"shop-{RELEASE}",
        "services": {
            "backend": {
                "image": "shop/backend:aa",
                "pull_policy": "never",
                "environment": {"DEBUG": "False", "SECRET_KEY": "k$$y"},
                "networks": {"default": {"aliases": ["shop_backend"]}},
                "restart": "unless-stopped",
                "volumes": [
                    {"type": "volume", "source": "media", "target": "/media", "volume": {}},
                    {"type": "bind", "source": "/opt/shop/shared/data", "target": "/data"},
                    {"type": "bind", "source": "/etc/localtime", "target": "/etc/localtime", "read_only": True},
                ],
            },
            "worker": {
                "image": "shop/worker:aa",
                "pull_policy": "never",
                "command": ["celery", "worker"],
                "networks": {"default": None},
                "restart": "unless-stopped",
            },
            "nginx": {
                "image": "shop/nginx:bb",
                "pull_policy": "never",
                "depends_on": {"backend": {"condition": "service_started", "required": True}},
                "networks": {"default": {"aliases": ["www"]}},
                "restart": "unless-stopped",
                "volumes": [{"type": "volume", "source": "media", "target": "/media", "read_only": True, "volume": {}}],
            },
        },
        "networks": {"default": {}},
        "volumes": {
            "pg": {"name": "shop_pg", "external": True},
            "media": {"name": "shop_media", "external": True},
        },
    }
    assert rendered.folders == ("data",)
    assert rendered.files == ()


def test_data_services_live_in_a_project_of_their_own_and_get_their_files() -> None:
    rendered = render_data(stack(), IMAGES, LAYOUT, PLACES)

    assert rendered.document["name"] == "shop-data"
    assert list(rendered.document["services"]) == ["db"]
    assert rendered.document["networks"] == {"default": {"name": "0-shop-data-default"}}
    mounts = rendered.document["services"]["db"]["volumes"]
    assert mounts[1]["source"] == "/opt/shop/data/files/init"
    assert [(file.local, file.remote) for file in rendered.files] == [(Path("/src/init"), PurePosixPath("files/init"))]


def test_files_behind_configs_and_secrets_are_shipped() -> None:
    document = model()
    document["services"]["backend"]["secrets"] = [{"source": "token", "target": "/run/secrets/token"}]
    document["services"]["backend"]["configs"] = [{"source": "motd", "target": "/motd"}]
    document["secrets"] = {
        "token": {"name": "shop_token", "file": "/src/secrets/token.txt"},
        "unused": {"file": "/src/u"},
    }
    document["configs"] = {"motd": {"name": "shop_motd", "content": "hello"}}

    rendered = render_release(stack(document), IMAGES, LAYOUT, RELEASE, PLACES)

    assert rendered.document["secrets"] == {"token": {"file": f"/opt/shop/releases/{RELEASE}/files/secrets/token.txt"}}
    assert rendered.document["configs"] == {"motd": {"content": "hello"}}
    assert [str(file.remote) for file in rendered.files] == ["files/secrets/token.txt"]


def test_external_networks_and_volumes_stay_as_they_are() -> None:
    document = model()
    document["networks"]["corp"] = {"name": "corp", "external": True}
    document["services"]["backend"]["networks"]["corp"] = None
    document["volumes"]["shared"] = {"name": "corp_files", "external": True}

    rendered = render_release(stack(document), IMAGES, LAYOUT, RELEASE, PLACES)

    assert rendered.document["networks"]["corp"] == {"name": "corp", "external": True}
    assert [volume.name for volume in stack_volumes(stack(document), LAYOUT, PLACES)] == ["shop_pg", "shop_media"]


def test_the_model_itself_is_not_changed() -> None:
    document = model()
    render_release(stack(document), IMAGES, LAYOUT, RELEASE, PLACES)
    render_data(stack(document), IMAGES, LAYOUT, PLACES)

    assert document == model()


def test_lasting_networks_sort_before_every_release_network() -> None:
    """An engine publishes ports through a container's first network by name, and moves them when that changes."""
    for network in ("edge", "data-default"):
        assert LAYOUT.lasting_network(network) < LAYOUT.release_network(RELEASE, "default")


def test_a_data_service_with_other_files_is_another_container_to_compose() -> None:
    def labels(**parts: str) -> object:
        rendered = render_data(stack(), IMAGES, LAYOUT, PLACES, {"db": {"image": "1"} | parts})
        return rendered.document["services"]["db"].get("labels")

    first = labels(**{"file init": "a"})
    assert first
    assert labels(**{"file init": "b"}) != first
    assert labels(**{"file init": "a", "environment.X": "2"}) == first
    assert labels() is None


def test_a_data_service_with_another_secret_is_another_container_to_compose() -> None:
    document = model()
    document["services"]["db"]["secrets"] = [{"source": "token"}]
    document["secrets"] = {"token": {"environment": "TOKEN", "content": "x"}}

    def labels(**parts: str) -> object:
        rendered = render_data(stack(document), IMAGES, LAYOUT, PLACES, {"db": parts})
        return rendered.document["services"]["db"].get("labels")

    assert labels(**{"secrets.token": "a"}) != labels(**{"secrets.token": "b"})


def test_a_service_of_a_profile_that_is_on_is_one_like_any_other() -> None:
    """On the host no profile is, and compose would leave it out."""
    document = model()
    document["services"]["worker"]["profiles"] = ["background"]
    document["services"]["worker"]["x-owner"] = "ada"

    worker = render_release(stack(document), IMAGES, LAYOUT, RELEASE, PLACES).document["services"]["worker"]

    assert not {"profiles", "x-owner"} & {*worker}


@pytest.mark.parametrize(
    ("policy", "restart"),
    [
        ({"condition": "any"}, "unless-stopped"),
        ({"max_attempts": 3}, "unless-stopped"),
        ({"condition": "on-failure"}, "on-failure"),
        ({"condition": "on-failure", "max_attempts": 3}, "on-failure:3"),
        ({"condition": "none"}, "no"),
    ],
)
def test_a_restart_policy_of_a_swarm_is_one_of_compose(policy: dict[str, object], restart: str) -> None:
    """Compose would make `always` of it, with which a release that was stopped comes back with the engine."""
    document = model()
    del document["services"]["backend"]["restart"]
    document["services"]["backend"]["deploy"] = {"restart_policy": policy}

    backend = render_release(stack(document), IMAGES, LAYOUT, RELEASE, PLACES).document["services"]["backend"]

    assert backend["restart"] == restart
    assert backend["deploy"] == {}


def test_a_service_on_the_hosts_network_gets_no_alias() -> None:
    """Compose refuses networks beside a network_mode."""
    document = model()
    del document["services"]["backend"]["networks"]
    document["services"]["backend"]["network_mode"] = "host"

    backend = render_release(stack(document), IMAGES, LAYOUT, RELEASE, PLACES).document["services"]["backend"]

    assert backend["network_mode"] == "host"
    assert "networks" not in backend


def test_links_to_data_services_are_left_to_aliases() -> None:
    document = model()
    document["services"]["backend"]["links"] = ["db:database", "worker"]

    backend = render_release(stack(document), IMAGES, LAYOUT, RELEASE, PLACES).document["services"]["backend"]

    assert backend["links"] == ["worker"]


def test_what_a_variable_held_goes_along() -> None:
    """Nobody on the host knows the variable."""
    document = model()
    document["services"]["backend"]["secrets"] = [{"source": "token"}]
    document["services"]["backend"]["configs"] = [{"source": "motd", "target": "/motd"}]
    document["secrets"] = {"token": {"name": "shop_token", "environment": "TOKEN", "content": "a$$b"}}
    document["configs"] = {"motd": {"name": "shop_motd", "environment": "MOTD", "content": "cost: 3 $$"}}

    rendered = render_release(stack(document), IMAGES, LAYOUT, RELEASE, PLACES)

    assert rendered.document["configs"] == {"motd": {"content": "cost: 3 $$"}}
    assert rendered.document["secrets"] == {"token": {"file": f"/opt/shop/releases/{RELEASE}/values/token"}}
    assert [(value.text, str(value.remote)) for value in rendered.texts] == [("a$b", "values/token")]
    assert "a$b" not in repr(rendered)


def test_the_page_of_a_data_service_is_the_edges_and_its_other_ports_are_its_own() -> None:
    document = model()
    document["services"]["wiki"] = {
        "image": "acme/wiki:1",
        "volumes": [{"type": "volume", "source": "wiki", "target": "/d"}],
        "ports": [
            {"target": 8080, "published": "8080", "protocol": "tcp"},
            {"target": 2222, "published": "22", "protocol": "tcp"},
        ],
    }
    document["services"]["db"]["ports"] = [{"target": 5432, "published": "5432", "protocol": "tcp"}]
    images = IMAGES | {"wiki": "acme/wiki:1"}

    services = render_data(stack(document), images, LAYOUT, PLACES).document["services"]

    assert [port["published"] for port in services["wiki"]["ports"]] == ["22"]
    assert [port["published"] for port in services["db"]["ports"]] == ["5432"]


def test_a_folder_that_git_knows_travels_with_the_release() -> None:
    places = Places(Path("/src"), {"/src/data": Placement(Place.SHIPPED, ("page.html", "img/logo.svg"))})

    rendered = render_release(stack(), IMAGES, LAYOUT, RELEASE, places)

    mount = rendered.document["services"]["backend"]["volumes"][1]
    assert mount["source"] == f"/opt/shop/releases/{RELEASE}/files/data"
    assert [(file.local, file.members) for file in rendered.files] == [
        (Path("/src/data"), ("page.html", "img/logo.svg"))
    ]
    assert rendered.folders == ()


def test_a_volume_that_is_a_folder_of_the_project_is_kept_under_shared() -> None:
    document = model()
    options = {"type": "none", "o": "bind", "device": "/src/media"}
    document["volumes"]["media"] |= {"driver": "local", "driver_opts": options}
    document["volumes"]["pg"] |= {"driver": "local", "driver_opts": {**options, "device": "/mnt/pg"}}

    rendered = render_release(stack(document), IMAGES, LAYOUT, RELEASE, PLACES)

    devices = {volume.name: volume.options["device"] for volume in stack_volumes(stack(document), LAYOUT, PLACES)}
    assert devices == {"shop_media": "/opt/shop/shared/media", "shop_pg": "/mnt/pg"}
    assert "media" in rendered.folders


def test_a_bridge_with_a_fixed_name_can_be_there_twice() -> None:
    document = model()
    document["networks"]["default"]["driver_opts"] = {"com.docker.network.bridge.name": "br0", "mtu": "1400"}

    networks = render_release(stack(document), IMAGES, LAYOUT, RELEASE, PLACES).document["networks"]

    assert networks["default"] == {"driver_opts": {"mtu": "1400"}}


def test_what_is_none_of_our_business_is_left_alone() -> None:
    document = model()
    own = {
        "init": True,
        "tmpfs": ["/tmp:size=8m"],
        "ulimits": {"nofile": {"soft": 1, "hard": 2}},
        "shm_size": "33554432",
        "cap_add": ["NET_ADMIN"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "extra_hosts": ["a=10.0.0.1"],
        "gpus": [{"count": 1}],
        "deploy": {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"], "count": 1}]}}},
        "devices": [{"source": "/dev/snd", "target": "/dev/snd", "permissions": "rwm"}],
        "sysctls": {"net.core.somaxconn": "1024"},
        "stop_signal": "SIGINT",
        "hostname": "backend",
        "logging": {"driver": "json-file"},
    }
    document["services"]["backend"] |= own

    backend = render_release(stack(document), IMAGES, LAYOUT, RELEASE, PLACES).document["services"]["backend"]

    assert {key: backend[key] for key in own} == own


def test_anonymous_volumes_stay_without_a_name() -> None:
    document = model()
    scratch = {"type": "volume", "target": "/app/node_modules", "volume": {}}
    document["services"]["backend"]["volumes"] = [scratch]

    backend = render_release(stack(document), IMAGES, LAYOUT, RELEASE, PLACES).document["services"]["backend"]

    assert backend["volumes"] == [scratch]
