"""Rendering: the model as it is, and only what must change changed."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from deploy.model.render import render_data, render_release, stack_volumes
from tests.unit.examples import LAYOUT, model, stack

ROOT = Path("/src")
IMAGES = {"db": "postgres:17", "backend": "shop/backend:aa", "worker": "shop/worker:aa", "nginx": "shop/nginx:bb"}
RELEASE = "20261121-120000-1a2b3c4"


def test_a_release_is_the_model_without_its_data_services() -> None:
    rendered = render_release(stack(), IMAGES, LAYOUT, RELEASE, ROOT)

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
    rendered = render_data(stack(), IMAGES, LAYOUT, ROOT)

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

    rendered = render_release(stack(document), IMAGES, LAYOUT, RELEASE, ROOT)

    assert rendered.document["secrets"] == {"token": {"file": f"/opt/shop/releases/{RELEASE}/files/secrets/token.txt"}}
    assert rendered.document["configs"] == {"motd": {"content": "hello"}}
    assert [str(file.remote) for file in rendered.files] == ["files/secrets/token.txt"]


def test_external_networks_and_volumes_stay_as_they_are() -> None:
    document = model()
    document["networks"]["corp"] = {"name": "corp", "external": True}
    document["services"]["backend"]["networks"]["corp"] = None
    document["volumes"]["shared"] = {"name": "corp_files", "external": True}

    rendered = render_release(stack(document), IMAGES, LAYOUT, RELEASE, ROOT)

    assert rendered.document["networks"]["corp"] == {"name": "corp", "external": True}
    assert [volume.name for volume in stack_volumes(stack(document))] == ["shop_pg", "shop_media"]


def test_the_model_itself_is_not_changed() -> None:
    document = model()
    render_release(stack(document), IMAGES, LAYOUT, RELEASE, ROOT)
    render_data(stack(document), IMAGES, LAYOUT, ROOT)

    assert document == model()


def test_lasting_networks_sort_before_every_release_network() -> None:
    """An engine publishes ports through a container's first network by name, and moves them when that changes."""
    for network in ("edge", "data-default"):
        assert LAYOUT.lasting_network(network) < LAYOUT.release_network(RELEASE, "default")
