"""What images are built for: a host's platform, which may be another one than this machine's."""

from __future__ import annotations

import platform
import re

from deploy.model.command import Command
from deploy.model.facts import ARCHITECTURES
from deploy.shell import Shell

_PLATFORMS = re.compile(r"^Platforms:(.*)$", re.MULTILINE)


def native_platform() -> str:
    """What this machine runs."""
    machine = platform.machine().lower()
    return f"linux/{ARCHITECTURES.get(machine, machine)}"


def is_native(platform_name: str) -> bool:
    """Whether this machine is of a platform, whatever its variant: `linux/arm64/v8` is `linux/arm64`."""
    return without_variant(platform_name) == native_platform()


def without_variant(platform_name: str) -> str:
    """A platform as `docker image inspect` tells it."""
    return "/".join(platform_name.split("/")[:2])


def builder_platforms(shell: Shell, builder: str = "") -> frozenset[str]:
    """What a builder of buildx, the one in use when none is named, can run, emulation included."""
    command = Command("docker", "buildx", "inspect").flag(builder, builder)
    text = ",".join(_PLATFORMS.findall(shell.run(command, check=False).stdout))
    return frozenset(one.strip().rstrip("*") for one in text.split(",") if one.strip())
