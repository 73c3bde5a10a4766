"""Images of a stack: their names by content, and building those that are not there yet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deploy.engine.context import build_digest
from deploy.model.command import Command
from deploy.model.errors import CommandError, DeployError, tail
from deploy.model.fingerprint import digest
from deploy.model.stack import Stack
from deploy.shell import LocalShell, Shell
from deploy.ui import Step

# BuildKit would else add an attestation with the time of the build, which gives equal images different ids
BUILD_ENVIRONMENT = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}


@dataclass(frozen=True)
class ImageSource:
    """Where a service's image comes from, before anything is built."""

    service: str
    source: str
    """`build:<digest>`, or the reference in the compose file."""
    reference: str
    """The name it has once it is there: by content for built ones, so that it never means another image."""

    @property
    def built(self) -> bool:
        return self.source.startswith("build:")


def image_sources(stack: Stack, project: str, *, salt: str = "") -> Mapping[str, ImageSource]:
    """The image of every service, by its name. A salt makes built images other ones than any before."""
    sources = {}
    for name, service in stack.services.items():
        if service.build:
            content = build_digest(service.build, name)
            content = digest([content, salt]) if salt else content
            sources[name] = ImageSource(name, f"build:{content}", f"{project}/{name}:{content}")
        else:
            sources[name] = ImageSource(name, service.image, service.image)
    return sources


def build(
    shell: LocalShell, stack: Stack, sources: Iterable[ImageSource], step: Step, *, rebuild: bool = False
) -> None:
    """Build the images of these services under their names. Raises DeployError with the end of the build's output."""
    wanted = [source for source in sources if source.built]
    if not wanted:
        return
    document: dict[str, Any] = {
        "name": "build",
        "services": {
            source.service: {"image": source.reference, "build": stack.services[source.service].definition["build"]}
            for source in wanted
        },
        "secrets": stack.document.get("secrets") or {},
    }
    command = Command("docker", "compose", "--progress", "plain", "--file", "-", "build")
    command = command.flag("--no-cache", rebuild).then(*(source.service for source in wanted))
    builder = LocalShell(shell.cwd, shell.env | BUILD_ENVIRONMENT)
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        step.show(line)

    try:
        builder.run(command, stdin=json.dumps(document).encode(), on_line=hear)
    except CommandError as error:
        raise DeployError(
            "the images cannot be built",
            "mend what the build names, then run the command again",
            details=tail("\n".join(lines), 30),
        ) from error


def layers(shell: Shell, references: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """The layers (diff ids) of those of the images that a machine has, by reference."""
    wanted = {normal(reference): reference for reference in references}
    found: dict[str, tuple[str, ...]] = {}
    if not wanted:
        return found
    template = "{{json .RepoTags}} {{json .RootFS.Layers}}"
    done = shell.run(Command("docker", "image", "inspect", "--format", template, *wanted), check=False)
    for line in filter(None, done.stdout.splitlines()):  # an empty line stands for one it does not have
        tags, end = json.JSONDecoder().raw_decode(line)
        found |= {wanted[tag]: tuple(json.loads(line[end:])) for tag in tags if tag in wanted}
    return found


def layer_sizes(shell: Shell, reference: str) -> tuple[int, ...]:
    """About how large the layers of an image are, in bytes uncompressed, from its base up.

    The history has an entry for every instruction; those without a size have no layer, with rare exceptions.
    """
    history = Command("docker", "history", "--human=false", "--format", "{{.Size}}", reference)
    sizes = [int(line) for line in shell.run(history, check=False).stdout.split()]
    return tuple(size for size in reversed(sizes) if size)


def normal(reference: str) -> str:
    """A reference with its tag, as the engine lists it: `nginx` is `nginx:latest`."""
    name = reference.rsplit("/", 1)[-1]
    return reference if ":" in name or "@" in name else f"{reference}:latest"


def missing(shell: Shell, references: Iterable[str]) -> tuple[str, ...]:
    """Those of the images that a machine does not have."""
    wanted = tuple(dict.fromkeys(references))
    have = layers(shell, wanted)
    return tuple(reference for reference in wanted if reference not in have)
