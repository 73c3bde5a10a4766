"""Scanning images: reports as Trivy and Grype print them, the threshold, and what happens without a scanner.

No scanner can be had where these run: programs of the same names print reports of the shapes that their documentation
gives.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.engine.scan import scan_images
from deploy.model.errors import DeployError, UsageError
from deploy.model.journal import Entry, Outcome, parse_journal
from deploy.model.scan import Severity, parse_grype, parse_trivy, require_below, told
from deploy.model.settings import Scanning, parse_settings
from deploy.shell import LocalShell
from deploy.ui import Console
from tests.unit.examples import NOW

TRIVY = {
    "SchemaVersion": 2,
    "ArtifactName": "shop/backend:1",
    "ArtifactType": "container_image",
    "Results": [
        {
            "Target": "shop/backend:1 (debian 13.2)",
            "Class": "os-pkgs",
            "Type": "debian",
            "Vulnerabilities": [
                {
                    "VulnerabilityID": "CVE-2025-0001",
                    "PkgID": "libssl3@3.0.1",
                    "PkgName": "libssl3",
                    "InstalledVersion": "3.0.1",
                    "FixedVersion": "3.0.2",
                    "Status": "fixed",
                    "Severity": "CRITICAL",
                },
                {
                    "VulnerabilityID": "CVE-2025-0002",
                    "PkgName": "zlib1g",
                    "InstalledVersion": "1.3",
                    "Status": "affected",
                    "Severity": "HIGH",
                },
            ],
        },
        {"Target": "Python", "Class": "lang-pkgs", "Type": "python-pkg"},
    ],
}
GRYPE = {
    "matches": [
        {
            "vulnerability": {
                "id": "CVE-2025-0001",
                "severity": "Critical",
                "fix": {"versions": ["3.0.2"], "state": "fixed"},
            },
            "artifact": {"name": "libssl3", "version": "3.0.1", "type": "deb"},
        },
        {
            "vulnerability": {
                "id": "CVE-2025-0003",
                "severity": "Negligible",
                "fix": {"versions": [], "state": "wont-fix"},
            },
            "artifact": {"name": "bash", "version": "5.2", "type": "deb"},
        },
    ],
    "source": {"type": "image"},
    "descriptor": {"name": "grype"},
}

REPORT_ONLY = Scanning()


@pytest.fixture
def shell(tmp_path: Path) -> LocalShell:
    """A machine whose PATH has nothing but what a test puts there."""
    (tmp_path / "bin").mkdir()
    return LocalShell(tmp_path, {"PATH": str(tmp_path / "bin")})


def put(shell: LocalShell, name: str, script: str) -> None:
    path = Path(shell.env["PATH"]) / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def prints(document: object) -> str:
    return f"/bin/cat <<'END'\n{json.dumps(document)}\nEND"


def scan(shell: LocalShell, wanted: Scanning = REPORT_ONLY) -> dict[str, Any]:
    assert shell.cwd
    images = {"backend": "shop/backend:1"}
    return dict(scan_images(images, wanted, shell, Console(), into=shell.cwd / ".windlass" / "sbom"))


def test_a_report_of_trivy_is_read() -> None:
    found = parse_trivy(json.dumps(TRIVY))

    assert found.counts == {"critical": 1, "high": 1}
    assert told(found.counts) == "1 critical, 1 high"
    assert [str(one) for one in found.findings] == [
        "critical: CVE-2025-0001 in libssl3 3.0.1, mended in 3.0.2",
        "high: CVE-2025-0002 in zlib1g 1.3, not mended yet",
    ]


def test_a_report_of_grype_is_read() -> None:
    found = parse_grype(json.dumps(GRYPE))

    assert found.counts == {"critical": 1, "unknown": 1}
    assert str(found.findings[0]) == "critical: CVE-2025-0001 in libssl3 3.0.1, mended in 3.0.2"


def test_an_image_without_findings_has_none() -> None:
    assert told(parse_trivy('{"SchemaVersion": 2}').counts) == "nothing"


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", "FATAL no database"])
def test_what_is_no_report_is_refused(text: str) -> None:
    for parse in (parse_trivy, parse_grype):
        with pytest.raises(DeployError, match="is no report of it"):
            parse(text)


def test_findings_from_a_severity_on_stop_a_deploy_with_what_can_be_mended_first() -> None:
    found = {"backend": parse_trivy(json.dumps(TRIVY))}

    require_below(found, "never")
    with pytest.raises(DeployError) as caught:
        require_below(found, "high")

    assert caught.value.message == ("backend: the images have findings of severity high or worse; nothing was sent")
    assert caught.value.details.splitlines() == [
        "✗ backend: critical: CVE-2025-0001 in libssl3 3.0.1, mended in 3.0.2",
        "✗ backend: high: CVE-2025-0002 in zlib1g 1.3, not mended yet",
    ]


def test_unjudged_findings_never_stop_one() -> None:
    assert [one.severity for one in parse_grype(json.dumps(GRYPE)).at_least("low")] == [Severity.CRITICAL]


def test_trivy_is_asked_for_the_image(shell: LocalShell, tmp_path: Path) -> None:
    put(shell, "trivy", f'echo "$*" >{tmp_path}/words\n{prints(TRIVY)}')

    assert scan(shell)["backend"].counts == {"critical": 1, "high": 1}
    assert (tmp_path / "words").read_text() == "image --quiet --format json --scanners vuln shop/backend:1\n"


def test_grype_is_asked_where_there_is_no_trivy(shell: LocalShell, tmp_path: Path) -> None:
    put(shell, "grype", f'echo "$*" >{tmp_path}/words\n{prints(GRYPE)}')

    assert scan(shell)["backend"].scanner == "grype"
    assert (tmp_path / "words").read_text() == "--quiet --output json docker:shop/backend:1\n"


def test_without_a_scanner_nothing_is_scanned_and_a_threshold_is_said_not_to_be_heeded(
    shell: LocalShell, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scan(shell) == {}
    assert capsys.readouterr().err == ""

    assert scan(shell, Scanning("high")) == {}
    assert "no trivy and no grype is on the PATH: `scan: {fail_on: high}` is not heeded" in capsys.readouterr().err


def test_a_scanner_that_fails_is_said_and_stops_a_deploy_only_where_something_is_not_wanted(
    shell: LocalShell, capsys: pytest.CaptureFixture[str]
) -> None:
    put(shell, "trivy", "echo 'FATAL: the database cannot be fetched' >&2; exit 1")

    assert scan(shell) == {}
    assert "FATAL: the database cannot be fetched" in capsys.readouterr().err
    with pytest.raises(DeployError, match="trivy could not scan it") as caught:
        scan(shell, Scanning("critical"))
    assert "the database cannot be fetched" in caught.value.details


def test_what_images_are_made_of_is_written_whole_or_not_at_all(
    shell: LocalShell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(shell, "syft", 'for last; do :; done; echo "{}" >"${last#cyclonedx-json=}"')
    scan(shell, Scanning(sbom=True))
    assert [file.name for file in (tmp_path / ".windlass" / "sbom").iterdir()] == ["backend-1.cdx.json"]

    put(shell, "syft", 'for last; do :; done; echo "{" >"${last#cyclonedx-json=}"; echo broken >&2; exit 1')
    (tmp_path / ".windlass" / "sbom" / "backend-1.cdx.json").unlink()
    scan(shell, Scanning(sbom=True))
    assert not (tmp_path / ".windlass" / "sbom" / "backend-1.cdx.json").exists()
    assert "syft could not list it: broken" in capsys.readouterr().err


def test_counts_are_kept_in_the_journal() -> None:
    entry = Entry(NOW, Outcome.DEPLOYED, "r1", "ada@laptop", scans={"backend": {"critical": 1}})

    assert parse_journal(entry.to_line()) == (entry,)


def settings(scan: Any) -> Scanning | None:
    return parse_settings({"environments": {"prod": {"scan": scan}}}, folder="shop").environment("prod").scan


def test_settings_say_what_is_not_wanted() -> None:
    assert settings(None) == Scanning("never")
    assert settings(False) is None
    assert settings({"fail_on": "high", "sbom": True}) == Scanning("high", sbom=True)


@pytest.mark.parametrize(
    ("scan", "said"),
    [
        ({"fail_on": "hihg"}, "scan.fail_on: 'hihg': unknown"),
        ({"fail": "high"}, "scan.fail: unknown key"),
        ("high", "scan is not a mapping, nor false"),
        (True, "scan is not a mapping, nor false"),
        ({"sbom": "yes"}, "scan.sbom is not true or false"),
    ],
)
def test_settings_that_cannot_be_are_refused(scan: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings(scan)

    assert said in caught.value.message
