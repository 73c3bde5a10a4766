"""What `invoke.yaml` says under `deploy:`, checked and typed."""

from deploy.model.settings.parse import environment_names, parse_settings, slug
from deploy.model.settings.values import (
    LOCAL,
    Acme,
    Encryption,
    Engine,
    Environment,
    KeepFree,
    Offsite,
    Scanning,
    Settings,
)

__all__ = [
    "LOCAL",
    "Acme",
    "Encryption",
    "Engine",
    "Environment",
    "KeepFree",
    "Offsite",
    "Scanning",
    "Settings",
    "environment_names",
    "parse_settings",
    "slug",
]
