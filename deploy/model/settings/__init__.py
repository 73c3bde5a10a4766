"""What `invoke.yaml` says under `deploy:`, checked and typed."""

from deploy.model.settings.parse import environment_names, parse_settings, slug
from deploy.model.settings.values import LOCAL, Acme, Environment, KeepFree, Settings

__all__ = ["LOCAL", "Acme", "Environment", "KeepFree", "Settings", "environment_names", "parse_settings", "slug"]
