"""What can be known of a project that nobody wrote down for us, each with its reason and how to say otherwise."""

from deploy.model.findings.commands import found_migrations, with_found
from deploy.model.findings.compose_files import ComposeFiles, candidates, choose_compose_files
from deploy.model.findings.credentials import Credentials, credentials_of
from deploy.model.findings.env_files import EnvFile, choose_env_file, examples, placeholders
from deploy.model.findings.report import Finding, file_findings, findings_of
from deploy.model.findings.source import Source

__all__ = [
    "ComposeFiles",
    "Credentials",
    "EnvFile",
    "Finding",
    "Source",
    "candidates",
    "choose_compose_files",
    "choose_env_file",
    "credentials_of",
    "examples",
    "file_findings",
    "findings_of",
    "found_migrations",
    "placeholders",
    "with_found",
]
