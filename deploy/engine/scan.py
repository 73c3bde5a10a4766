"""Scanning images for vulnerabilities, and listing what they are made of, where a program for it is on the PATH."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.engine.files import write_whole
from deploy.model.command import Command
from deploy.model.errors import DeployError
from deploy.model.scan import NEVER, Scan, parse_grype, parse_trivy, require_below, told
from deploy.model.settings import Scanning
from deploy.shell import LocalShell
from deploy.ui import Console

TIMEOUT_S = 900
"""A first scan fetches a database of some hundred megabytes."""


@dataclass(frozen=True)
class Scanner:
    """A program that finds vulnerabilities in an image of the engine."""

    name: str
    command: Command
    """Takes the image's reference as its last word."""
    prefix: str
    parse: Callable[[str], Scan]

    def scan(self, shell: LocalShell, reference: str) -> Scan:
        """Raises DeployError when it cannot."""
        done = shell.run(self.command.then(f"{self.prefix}{reference}"), timeout_s=TIMEOUT_S)
        return self.parse(done.stdout)


SCANNERS = (
    Scanner("trivy", Command("trivy", "image", "--quiet", "--format", "json", "--scanners", "vuln"), "", parse_trivy),
    Scanner("grype", Command("grype", "--quiet", "--output", "json"), "docker:", parse_grype),
)


def scan_images(
    references: Mapping[str, str], wanted: Scanning, shell: LocalShell, console: Console, *, into: Path
) -> Mapping[str, Scan]:
    """What was found in images, by the service each is for; nothing where there is no scanner.

    Lists of what they are made of go to the folder `into`, where they are wanted. Raises DeployError when an image has
    what is not wanted, or could not be scanned although something is not.
    """
    if not references:
        return {}
    path = shell.environ().get("PATH")
    scanner = next((one for one in SCANNERS if shutil.which(one.name, path=path)), None)
    scans: dict[str, Scan] = {}
    if scanner is None and wanted.fail_on != NEVER:
        console.warn(f"no trivy and no grype is on the PATH: `scan: {{fail_on: {wanted.fail_on}}}` is not heeded")
    if scanner:
        with console.step(f"Scan {', '.join(references)} with {scanner.name}") as step:
            for service, reference in references.items():
                step.show(service)
                try:
                    scans[service] = scanner.scan(shell, reference)
                except DeployError as error:
                    if wanted.fail_on != NEVER:
                        raise DeployError(
                            f"{service}: {scanner.name} could not scan it, and `scan: {{fail_on: {wanted.fail_on}}}` "
                            "wants to know",
                            f"try it by itself: {scanner.command.then(scanner.prefix + reference)}",
                            details=str(error),
                        ) from error
                    console.warn(f"{service}: {scanner.name} could not scan it: {error.details or error.message}")
            step.result = "; ".join(f"{service}: {told(scan.counts)}" for service, scan in scans.items())
    require_below(scans, wanted.fail_on)
    if wanted.sbom:
        _list_parts(references, shell, console, into)
    return scans


def _list_parts(references: Mapping[str, str], shell: LocalShell, console: Console, into: Path) -> None:
    """Write what each image is made of, in CycloneDX. What cannot be is said."""
    path = shell.environ().get("PATH")
    program = next((name for name in ("syft", "trivy") if shutil.which(name, path=path)), None)
    if program is None:
        console.warn("no syft and no trivy is on the PATH: no SBOM was written")
        return
    with console.step(f"List what they are made of with {program}") as step:
        into.mkdir(parents=True, exist_ok=True)
        write_whole(into.parent / ".gitignore", "*\n", mode=0o644)
        for service, reference in references.items():
            step.show(service)
            file = into / f"{reference.rpartition('/')[2].replace(':', '-')}.cdx.json"
            draft = file.with_suffix(".new")
            command = (
                Command("syft", "scan", "--quiet", f"docker:{reference}", "--output", f"cyclonedx-json={draft}")
                if program == "syft"
                else Command("trivy", "image", "--quiet", "--format", "cyclonedx", "--output", str(draft), reference)
            )
            try:
                shell.run(command, timeout_s=TIMEOUT_S)
                draft.replace(file)
            except (DeployError, OSError) as error:
                console.warn(f"{service}: {program} could not list it: {getattr(error, 'details', '') or error}")
        step.result = str(into)
