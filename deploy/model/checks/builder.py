"""Checks of what builds images for another kind of machine."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from deploy.model.checks.problem import Problem
from deploy.model.dockerfile import runs_programs


def check_builder(
    dockerfiles: Mapping[str, str], platform: str, builder: str, can_run: Collection[str]
) -> Iterator[Problem]:
    """Whether a builder can build images, by service the text of each Dockerfile, for a platform not this machine's."""
    if any(f"{one}/".startswith(f"{platform}/") for one in can_run):
        return
    stuck = sorted(service for service, text in dockerfiles.items() if runs_programs(text))
    if stuck:
        architecture = platform.rpartition("/")[2]
        name = f"the builder '{builder}'" if builder else "the builder of this machine"
        yield Problem(
            f"the host needs {platform}, and {name} cannot run that, as RUN for {', '.join(stuck)} does",
            f"let it: docker run --privileged --rm tonistiigi/binfmt --install {architecture}; or name one that can "
            "(docker buildx ls) as `builder:` of the environment in invoke.yaml",
        )
