"""What a scanner of vulnerabilities found in an image: counted by severity, and held against a threshold.

Sources: Trivy's JSON report (schema version 2, `Results[].Vulnerabilities[]`), Grype's (`matches[]`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from deploy.model.errors import DeployError

_MOST = 5


class Severity(StrEnum):
    """From the worst on."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNKNOWN = "unknown"
    """Nobody has judged it, or it is too small a matter to be (Grype's "negligible")."""


NEVER = "never"
THRESHOLDS = (NEVER, *(str(one) for one in Severity if one != Severity.UNKNOWN))


@dataclass(frozen=True)
class Finding:
    """One vulnerability of one package."""

    id: str
    package: str
    installed: str
    fixed: str
    """The version without it; empty where there is none yet."""
    severity: Severity

    def __str__(self) -> str:
        mended = f"mended in {self.fixed}" if self.fixed else "not mended yet"
        return f"{self.severity}: {self.id} in {self.package} {self.installed}, {mended}"


@dataclass(frozen=True)
class Scan:
    """All that was found in one image."""

    scanner: str
    findings: tuple[Finding, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each severity that there are any of, the worst first."""
        found = {one: sum(finding.severity == one for finding in self.findings) for one in Severity}
        return {str(one): number for one, number in found.items() if number}

    def at_least(self, threshold: str) -> tuple[Finding, ...]:
        """Those of a severity or worse; none for NEVER."""
        if threshold == NEVER:
            return ()
        order = [*Severity]
        return tuple(one for one in self.findings if order.index(one.severity) <= order.index(Severity(threshold)))


def told(counts: Mapping[str, int]) -> str:
    """Counts as text: "2 critical, 5 high"."""
    return ", ".join(f"{number} {severity}" for severity, number in counts.items()) or "nothing"


def require_below(scans: Mapping[str, Scan], threshold: str) -> None:
    """Raises DeployError when an image, by the service it is for, has findings of a severity that is not wanted."""
    bad = {service: found for service, scan in scans.items() if (found := scan.at_least(threshold))}
    if not bad:
        return
    lines = []
    for service, found in bad.items():
        # what can be mended is worth more than what cannot
        ordered = sorted(found, key=lambda one: ([*Severity].index(one.severity), not one.fixed, one.id))
        lines += [f"✗ {service}: {one}" for one in ordered[:_MOST]]
        if len(ordered) > _MOST:
            lines.append(f"  {service}: {len(ordered) - _MOST} more")
    raise DeployError(
        f"{', '.join(bad)}: the images have findings of severity {threshold} or worse; nothing was sent",
        "newer base images may have them mended: --rebuild; or set `scan: {fail_on: never}`",
        details="\n".join(lines),
    )


def parse_trivy(text: str) -> Scan:
    """From `trivy image --format json`. Raises DeployError for anything else."""
    document = _document(text, "trivy", "SchemaVersion")
    return Scan("trivy", tuple(_trivy(document)))


def parse_grype(text: str) -> Scan:
    """From `grype --output json`. Raises DeployError for anything else."""
    document = _document(text, "grype", "matches")
    return Scan("grype", tuple(_grype(document)))


def _trivy(document: Mapping[str, Any]) -> Iterator[Finding]:
    for result in document.get("Results") or ():
        for one in result.get("Vulnerabilities") or ():
            yield Finding(
                id=str(one.get("VulnerabilityID", "")),
                package=str(one.get("PkgName", "")),
                installed=str(one.get("InstalledVersion", "")),
                fixed=str(one.get("FixedVersion") or ""),
                severity=_severity(one.get("Severity")),
            )


def _grype(document: Mapping[str, Any]) -> Iterator[Finding]:
    for match in document.get("matches") or ():
        one, package = match.get("vulnerability") or {}, match.get("artifact") or {}
        yield Finding(
            id=str(one.get("id", "")),
            package=str(package.get("name", "")),
            installed=str(package.get("version", "")),
            fixed=", ".join((one.get("fix") or {}).get("versions") or ()),
            severity=_severity(one.get("severity")),
        )


def _severity(word: object) -> Severity:
    try:
        return Severity(str(word).lower())
    except ValueError:
        return Severity.UNKNOWN


def _document(text: str, scanner: str, key: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or key not in document:
        raise DeployError(f"what {scanner} printed is no report of it", details=text[-2000:])
    return document
