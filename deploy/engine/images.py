"""Images of a stack: their names by content, and building those that are not there yet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.engine.context import build_digest
from deploy.engine.platforms import is_native
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError, tail
from deploy.model.fingerprint import digest
from deploy.model.image import Image, Instruction
from deploy.model.layers import Layers
from deploy.model.stack import Service, Stack, unescaped
from deploy.shell import LocalShell, Shell
from deploy.ui import Step

# BuildKit would else add an attestation with the time of the build, which gives equal images different ids
BUILD_ENVIRONMENT = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
INSPECT = Command("docker", "image", "inspect", "--format", "{{json .}}")


@dataclass(frozen=True)
class ImageSource:
    """Where a service's image comes from, before anything is built."""

    service: str
    source: str
    """`build:<digest>`, or the reference in the compose file."""
    reference: str
    """The name it has once it is there: by content for built ones, so that it never means another image."""
    platform: str
    """What it is to run on: `linux/amd64`."""

    @property
    def built(self) -> bool:
        return self.source.startswith("build:")


def image_sources(stack: Stack, project: str, platform: str, *, salt: str = "") -> dict[str, ImageSource]:
    """The image of every service for hosts of a platform, by its name.

    A service's own `platform:` wins. A salt makes built images other ones than any before.
    """
    sources = {}
    for name, service in stack.services.items():
        own = str(service.definition.get("platform") or platform)
        if service.build:
            content = digest([build_digest(service.build, name), own, salt])
            sources[name] = ImageSource(name, f"build:{content}", f"{project}/{name}:{content}", own)
        else:
            sources[name] = ImageSource(name, service.image, service.image, own)
    return sources


def build(
    shell: LocalShell,
    stack: Stack,
    sources: Iterable[ImageSource],
    step: Step,
    *,
    builder: str = "",
    rebuild: bool = False,
    dockerfiles: Mapping[str, str] | None = None,
) -> None:
    """Build the images of these services under their names, on one of buildx's builders when it is named.

    `dockerfiles` are read instead of the services' own.
    Raises DeployError with the end of the build's output.
    """
    wanted = [source for source in sources if source.built]
    if not wanted:
        return
    named = {
        str(entry["source"])
        for source in wanted
        for entry in stack.services[source.service].definition["build"].get("secrets") or ()
    }
    secrets = {name: raw for name, raw in (stack.document.get("secrets") or {}).items() if name in named}
    document: dict[str, Any] = {
        "name": "build",
        "services": {
            source.service: _buildable(source, read_from(stack.services[source.service], dockerfiles or {}))
            for source in wanted
        },
        # what a variable holds may stand in the env file only, which this document knows nothing of
        "secrets": {name: {key: raw[key] for key in raw if key != "content"} for name, raw in secrets.items()},
    }
    values = {
        raw["environment"]: unescaped(raw["content"])
        for raw in secrets.values()
        if raw.get("environment") and "content" in raw
    }
    command = Command("docker", "compose", "--progress", "plain", "--file", "-", "build")
    command = command.flag("--no-cache", rebuild).then(*(source.service for source in wanted))
    environment = BUILD_ENVIRONMENT | values | ({"BUILDX_BUILDER": builder} if builder else {})
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        step.show(line)

    try:
        LocalShell(shell.cwd, shell.env | environment).run(command, stdin=json.dumps(document).encode(), on_line=hear)
    except CommandError as error:
        raise DeployError(
            "the images cannot be built",
            "mend what the build names, then run the command again",
            details=tail("\n".join(lines), 30),
        ) from error


def read_from(service: Service, dockerfiles: Mapping[str, str]) -> Mapping[str, Any]:
    """The `build` section of a service, with another Dockerfile where one is given."""
    definition: Mapping[str, Any] = service.definition["build"]
    if service.name not in dockerfiles:
        return definition
    own = {key: value for key, value in definition.items() if key != "dockerfile_inline"}
    return own | {"dockerfile": dockerfiles[service.name]}


def _buildable(source: ImageSource, definition: Mapping[str, Any]) -> dict[str, Any]:
    """A service to build. Without a platform the builder builds for its own machine, from images that are there."""
    # the host's platform is what counts, however many the file would like to have built
    service = {"image": source.reference, "build": {key: definition[key] for key in definition if key != "platforms"}}
    if is_native(source.platform):
        return service
    return service | {"platform": source.platform, "build": {**definition, "platforms": [source.platform]}}


def inspect(shell: Shell, references: Iterable[str]) -> Mapping[str, Image]:
    """Those of the images that a machine has, by reference."""
    wanted = tuple(dict.fromkeys(references))
    if not wanted:
        return {}
    return parse_images(shell.run(INSPECT.then(*wanted), check=False).stdout, wanted)


def parse_images(text: str, references: Iterable[str]) -> Mapping[str, Image]:
    """Images from what INSPECT printed about them."""
    wanted = {normal(reference): reference for reference in references}
    found: dict[str, Image] = {}
    for line in filter(None, text.splitlines()):  # an empty line stands for one it does not have
        image = Image(json.loads(line))
        found |= {wanted[tag]: image for tag in image.tags if tag in wanted}
    return found


def layers(shell: Shell, references: Iterable[str]) -> Mapping[str, Layers]:
    """The layers (diff ids) of those of the images that a machine has, by reference."""
    return {reference: image.layers for reference, image in inspect(shell, references).items()}


def history(shell: Shell, reference: str) -> tuple[Instruction, ...]:
    """What made an image, from its base up. Empty when the engine does not tell."""
    command = Command("docker", "history", "--no-trunc", "--human=false", "--format", "{{json .}}", reference)
    lines = shell.run(command, check=False).stdout.splitlines()
    try:
        return tuple(_instruction(json.loads(line)) for line in reversed(lines))
    except (KeyError, ValueError):  # what stands behind the name `docker` may be another program
        return ()


def _instruction(entry: Mapping[str, str]) -> Instruction:
    at = datetime.fromisoformat(entry["CreatedAt"])
    return Instruction(entry["CreatedBy"], at, int(entry["Size"]), entry["Comment"])


def normal(reference: str) -> str:
    """A reference with its tag, as the engine lists it: `nginx` is `nginx:latest`."""
    name = reference.rsplit("/", 1)[-1]
    return reference if ":" in name or "@" in name else f"{reference}:latest"


def missing(shell: Shell, references: Iterable[str]) -> tuple[str, ...]:
    """Those of the images that a machine does not have."""
    wanted = tuple(dict.fromkeys(references))
    have = layers(shell, wanted)
    return tuple(reference for reference in wanted if reference not in have)
