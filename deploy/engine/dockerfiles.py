"""The Dockerfiles of services, as far as they can be read from here."""

from __future__ import annotations

from deploy.model.recipe import Recipe, read_recipe
from deploy.model.stack import Build


def dockerfile_text(build: Build) -> str:
    """A build's Dockerfile; empty where it cannot be read from here."""
    if build.inline is not None:
        return build.inline
    return build.dockerfile_path.read_text(errors="replace") if build.local and build.dockerfile_path.is_file() else ""


def recipe_of(build: Build) -> Recipe:
    """The image that a build makes; an empty recipe where its Dockerfile cannot be read from here."""
    definition = build.definition
    return read_recipe(dockerfile_text(build), str(definition.get("target") or ""), definition.get("args") or {})
