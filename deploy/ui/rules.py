"""What the rules found, for people, for scripts, for code scanners (SARIF), and the rules themselves as a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from deploy.model.checks import HOST_RULES, Locate, Problem, place_of
from deploy.model.rules import Rule, Severity
from deploy.ui.units import count

SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


def problem_lines(problems: Iterable[Problem], locate: Locate) -> Iterator[str]:
    """One line for what is wrong and where, one for what mends it; errors first."""
    for one in sorted(problems, key=lambda one: (bool(one.allowed), not one.fatal)):
        sign = "·" if one.allowed else "✗" if one.fatal else "!"
        place = place_of(one, locate)
        where = f"{place}: " if place else ""
        rule = f"  [{one.rule}]" if one.rule else ""
        yield f"{sign} {where}{one.message}{rule}"
        if one.allowed:
            yield f"    allowed: {one.allowed}"
        elif one.remedy:
            yield f"    → {one.remedy}"


def verdict(problems: Iterable[Problem]) -> str:
    """`2 errors, 3 warnings, 1 allowed`."""
    found = tuple(problems)
    allowed = [one for one in found if one.allowed]
    errors = [one for one in found if one.fatal and not one.allowed]
    parts = (
        count(len(errors), "error"),
        count(len(found) - len(errors) - len(allowed), "warning"),
        f"{len(allowed)} allowed" if allowed else "",
    )
    return ", ".join(part for part in parts if part)


def problem_documents(problems: Iterable[Problem], locate: Locate) -> list[dict[str, Any]]:
    """Each problem for a script. `file` and `line` are null where there are none."""
    return [
        {
            "rule": one.rule or None,
            "severity": Severity.ERROR if one.fatal else Severity.WARNING,
            "message": one.message,
            "remedy": one.remedy,
            "service": one.service or None,
            "file": file or None,
            "line": line,
            "mends": bool(one.overlay),
            "allowed": one.allowed or None,
        }
        for one in problems
        for file, line in [_parted(place_of(one, locate))]
    ]


def sarif(problems: Iterable[Problem], rules: Sequence[Rule], locate: Locate, version: str) -> dict[str, Any]:
    """A log of the Static Analysis Results Interchange Format, 2.1.0 (OASIS).

    What comes from no file is told at the services of the compose file: scanners take no result without a place.
    """
    known = {one.id: number for number, one in enumerate(rules)}
    driver = {
        "name": "Windlass",
        "semanticVersion": version,
        "rules": [
            {
                "id": one.id,
                "shortDescription": {"text": one.title},
                "fullDescription": {"text": _plain(one.why)},
                "help": {"text": _plain(one.fix), "markdown": one.fix},
                "defaultConfiguration": {"level": str(one.severity)},
            }
            for one in rules
        ],
    }
    anywhere = locate(("services",))
    results = [_result(one, known, _parted(place_of(one, locate) or anywhere)) for one in problems]
    return {"$schema": SARIF, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def _result(one: Problem, known: dict[str, int], place: tuple[str, int | None]) -> dict[str, Any]:
    file, line = place
    result: dict[str, Any] = {
        "level": "error" if one.fatal else "warning",
        "message": {"text": str(one)},
    }
    if one.rule:
        result["ruleId"] = one.rule
    if one.rule in known:
        result["ruleIndex"] = known[one.rule]
    if file:
        location: dict[str, Any] = {"artifactLocation": {"uri": _uri(file)}}
        if line:
            location["region"] = {"startLine": line}
        result["locations"] = [{"physicalLocation": location}]
    if one.allowed:
        result["suppressions"] = [{"kind": "inSource", "justification": one.allowed}]
    return result


def rules_page(rules: Sequence[Rule]) -> str:
    """docs/checks.md: every rule, in Markdown."""
    parts = [_HEAD]
    for heading, severity in (("Errors: these stop a deploy", Severity.ERROR), ("Warnings", Severity.WARNING)):
        parts.append(f"## {heading}\n")
        for one in sorted((one for one in rules if one.severity == severity), key=lambda one: one.id):
            mends = "\n\n`prod.check --fix` writes this for you." if one.mends else ""
            parts.append(f"### {one.id}\n\n{one.title}.\n\n{one.why}\n\n**Instead**: {one.fix}{mends}\n")
    rows = "\n".join(f"| `{rule}` | {text} |" for rule, text in HOST_RULES.items())
    parts.append(f"{_HOSTS}\n{rows}\n")
    return "\n".join(parts)


_HEAD = """\
<!-- Made from the rules by `inv prod.check --list > docs/checks.md`. -->
# Checks

`inv prod.check` holds a project against these rules, and its hosts against what a deploy needs there. `plan` and
`deploy` do so first: an error stops them before anything is touched, of warnings they tell how many there are.

| | |
| --- | --- |
| `inv prod.check` | this machine's files, and each host of the environment where it has any |
| `--local` | files only, for CI without a way to the host |
| `--json`, `--sarif FILE` | for scripts, and for code scanners that read SARIF 2.1.0 |
| `--strict` | warnings end with status 1, too |
| `--fix` | writes what can be mended without thinking as a compose file to lay over the others, after showing it |

What is meant to be as it is gets a reason beside it, which everybody reads who runs the check:

```yaml
services:
  db:
    x-deploy:
      allow: {published-data: "the office's network only, by the provider's firewall"}
```

or for the whole environment, `allow: {RULE: reason}` under `deploy.environments.prod` in `invoke.yaml`.
"""


def _uri(file: str) -> str:
    """A path as RFC 3986 has it: one that is relative to the project's folder stays so."""
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


_HOSTS = """\
## Hosts

All of it is looked at in one round trip, and told at once; docs/hosts.md has more. A warning may be allowed in
`invoke.yaml`, an error may not: it would stop the deploy later.

| | |
| --- | --- |"""


def _plain(text: str) -> str:
    return text.replace("`", "").replace("**", "")


def _parted(place: str) -> tuple[str, int | None]:
    file, _, line = place.rpartition(":")
    return (file, int(line)) if file and line.isdecimal() else (place, None)
