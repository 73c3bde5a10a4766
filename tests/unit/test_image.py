"""What is made of what an engine tells of an image."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from deploy.model.image import Image, Instruction, archive_of, configuration, layer_sizes

AT = datetime(2026, 11, 24, 20, 0, 5, tzinfo=UTC)
HISTORY = (
    Instruction("", AT, 80_000_000, "Imported from -"),
    Instruction("ENV LANG=C.UTF-8", AT, 0, "buildkit.dockerfile.v0"),
    Instruction("WORKDIR /app", AT, 0, "buildkit.dockerfile.v0"),
    Instruction("COPY app.py . # buildkit", AT, 13, "buildkit.dockerfile.v0"),
    Instruction('CMD ["python" "app.py"]', AT, 0, "buildkit.dockerfile.v0"),
)
LAYERS = ("sha256:base", "sha256:dir", "sha256:app")


def image(**changes: Any) -> Image:
    document: dict[str, Any] = {
        "Id": "sha256:1",
        "Created": "2026-11-24T20:00:05.585162228Z",
        "Architecture": "arm64",
        "Variant": "v8",
        "Os": "linux",
        "Author": "",
        "Config": {"Cmd": ["python", "app.py"], "Env": ["A="], "Entrypoint": None, "Labels": {}, "Tty": False},
        "RootFS": {"Type": "layers", "Layers": list(LAYERS)},
        "GraphDriver": {"Name": "overlay2", "Data": {"UpperDir": "/x"}},
    }
    return Image(document | changes)


@pytest.mark.parametrize(
    ("created_by", "size_bytes", "layer"),
    [
        ("RUN /bin/sh -c true # buildkit", 0, True),
        ("WORKDIR /app", 0, True),
        ("USER 1000", 0, False),
        ('/bin/sh -c #(nop)  CMD ["bash"]', 0, False),
        ("/bin/sh -c #(nop) ADD file:1 in / ", 9, True),
        ("/bin/sh -c apt-get update", 0, True),
        ("", 0, True),
    ],
)
def test_which_instructions_make_a_layer(created_by: str, size_bytes: int, layer: bool) -> None:
    assert Instruction(created_by, AT, size_bytes).makes_layer == layer


def test_sizes_of_layers_come_from_the_history_from_the_top_down() -> None:
    assert layer_sizes(LAYERS, HISTORY) == (13, 0, 80_000_000)
    assert layer_sizes(("sha256:other",), HISTORY) == (13, 80_000_000), "as far as can be told"


def test_a_configuration_says_what_the_engine_tells() -> None:
    made = configuration(image(), HISTORY)
    assert made
    assert json.loads(made) == {
        "architecture": "arm64",
        "variant": "v8",
        "os": "linux",
        "created": "2026-11-24T20:00:05.585162228Z",
        "config": {"Cmd": ["python", "app.py"], "Env": ["A="]},
        "rootfs": {"type": "layers", "diff_ids": list(LAYERS)},
        "history": [
            {"created": "2026-11-24T20:00:05Z", "comment": "Imported from -"},
            {
                "created": "2026-11-24T20:00:05Z",
                "created_by": "ENV LANG=C.UTF-8",
                "comment": "buildkit.dockerfile.v0",
                "empty_layer": True,
            },
            {"created": "2026-11-24T20:00:05Z", "created_by": "WORKDIR /app", "comment": "buildkit.dockerfile.v0"},
            {
                "created": "2026-11-24T20:00:05Z",
                "created_by": "COPY app.py . # buildkit",
                "comment": "buildkit.dockerfile.v0",
            },
            {
                "created": "2026-11-24T20:00:05Z",
                "created_by": 'CMD ["python" "app.py"]',
                "comment": "buildkit.dockerfile.v0",
                "empty_layer": True,
            },
        ],
    }
    assert configuration(image(), HISTORY) == made, "equal images are equal bytes"


def test_no_configuration_is_made_of_a_history_that_does_not_fit() -> None:
    assert configuration(image(), HISTORY[1:]) is None


def test_images_are_equal_when_their_containers_are() -> None:
    blank = {"Cmd": ["python", "app.py"], "Env": ["A="], "OnBuild": [], "StdinOnce": False}
    assert image().essence == image(Id="sha256:2", Config=blank, Metadata={}).essence
    assert image().essence != image(Architecture="amd64").essence
    assert image().essence != image(Config=blank | {"User": "1000"}).essence


def test_an_archive_holds_the_layers_that_are_given() -> None:
    config = b"{}"
    files = archive_of({"app:2": image()}, {"app:2": config}, {"sha256:app": b"tar"})

    name = f"blobs/sha256/{hashlib.sha256(config).hexdigest()}"
    assert files[name] == config
    assert files["blobs/sha256/app"] == b"tar"
    assert json.loads(files["manifest.json"]) == [
        {
            "Config": name,
            "RepoTags": ["app:2"],
            "Layers": ["blobs/sha256/base", "blobs/sha256/dir", "blobs/sha256/app"],
        }
    ]
    assert len(files) == 3
