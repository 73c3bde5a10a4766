"""What exactly differs between the definition that runs and the wanted one, with secrets masked."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.model.kinds import Kind
from deploy.model.plan.masking import MASK, Masking
from deploy.model.plan.values import Action, FileDiff, Plan, ServicePlan, ValueChange

# Told by other means, or never a difference of the service itself.
_APART = frozenset({"environment", "image", "pull_policy", "depends_on"})
_NO_DIFF = "differs; not shown because it may hold secrets"
_NO_TEXT = "differs; not a text, or too long to show"


@dataclass(frozen=True)
class Definitions:
    """What services are made of, on a host or here: compose documents without the release's own id, and files."""

    release: Mapping[str, Any] = field(repr=False)
    data: Mapping[str, Any] = field(repr=False)
    images: Mapping[str, str] = field(default_factory=dict)
    """What each service's image is made from, as a release record has it."""
    ports: tuple[str, ...] = ()
    """`service: published:target` of every public port."""
    files: Mapping[str, FileText] = field(default_factory=dict, repr=False)
    """Shipped files by their path in the project; those that differ are enough."""

    changed: tuple[str, ...] = ()
    """Files on the host that are not as they were staged."""

    def of(self, kind: Kind) -> Mapping[str, Any]:
        return self.data if kind == Kind.DATA else self.release


@dataclass(frozen=True)
class FileText:
    """A shipped file. `text` is None for one that is not a text or too long."""

    text: str | None = field(repr=False)


def with_details(plan: Plan, before: Definitions, after: Definitions, masking: Masking) -> Plan:
    """The plan, with what differs in the definition of each service that is replaced."""
    explain = _Explainer(before, after, masking)
    return dataclasses.replace(
        plan,
        services=tuple(explain.service(one) for one in plan.services),
        data=tuple(explain.service(one) for one in plan.data),
    )


class _Explainer:
    def __init__(self, before: Definitions, after: Definitions, masking: Masking) -> None:
        self._before = before
        self._after = after
        self._masking = masking

    def service(self, plan: ServicePlan) -> ServicePlan:
        old, new = (side.of(plan.kind) for side in (self._before, self._after))
        if plan.action in {Action.KEEP, Action.REMOVE} or plan.name not in old.get("services", {}):
            return plan
        changes = (*self._image(plan.name), *self._environment(plan.name, old, new), *self._ports(plan.name))
        return dataclasses.replace(
            plan,
            changes=(*changes, *self._values(plan.name, old, new)),
            files=tuple(self._files(plan.reasons)) + tuple(self._configs(plan.name, old, new)),
        )

    def _image(self, name: str) -> Iterator[ValueChange]:
        old, new = self._before.images.get(name, ""), self._after.images.get(name, "")
        if old != new and not (old.startswith("build:") and new.startswith("build:")):
            yield ValueChange("image", *("built here" if text.startswith("build:") else text for text in (old, new)))

    def _environment(self, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ValueChange]:
        """Names only: whether a value may be seen cannot be known."""
        was, now = (side["services"][name].get("environment") or {} for side in (old, new))
        for key in sorted({*was, *now}):
            if key not in was or key not in now or was[key] != now[key]:
                yield ValueChange(f"environment.{key}", MASK if key in was else "", MASK if key in now else "")

    def _ports(self, name: str) -> Iterator[ValueChange]:
        old, new = (
            ", ".join(text.removeprefix(f"{name}: ") for text in side.ports if text.startswith(f"{name}: "))
            for side in (self._before, self._after)
        )
        if old != new:
            yield ValueChange("ports", old, new)

    def _values(self, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ValueChange]:
        was, now = (dict(_leaves(_definition(name, side))) for side in (old, new))
        for path in sorted({*was, *now}):
            before, after = was.get(path, ""), now.get(path, "")
            if before == after:
                continue
            if self._masking.hides(path) or self._masking.hides(before) or self._masking.hides(after):
                before, after = (MASK if text else "" for text in (before, after))
            yield ValueChange(path, before, after)

    def _files(self, reasons: tuple[str, ...]) -> Iterator[FileDiff]:
        for path in (reason.removeprefix("file ") for reason in reasons if reason.startswith("file ")):
            inside = sorted(
                one for one in {*self._before.files, *self._after.files} if one == path or one.startswith(f"{path}/")
            )
            for one in inside:
                old, new = self._before.files.get(one), self._after.files.get(one)
                if old != new:
                    yield self._diff(one, old, new)
            if not inside:
                yield FileDiff(path, (_NO_DIFF if self._masking.hides_file(path) else _NO_TEXT,))

    def _configs(self, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[FileDiff]:
        """Configs whose content stands in the compose file."""
        for config in sorted(_sources(name, old, "configs") | _sources(name, new, "configs")):
            was, now = ((side.get("configs") or {}).get(config, {}).get("content") for side in (old, new))
            if was != now:
                yield self._diff(f"configs.{config}", FileText(was or ""), FileText(now or ""))

    def _diff(self, path: str, old: FileText | None, new: FileText | None) -> FileDiff:
        if self._masking.hides_file(path):
            return FileDiff(path, (_NO_DIFF,))
        before, after = ("" if side is None else side.text for side in (old, new))
        if before is None or after is None:
            return FileDiff(path, (_NO_TEXT,))
        lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2))[2:]
        return FileDiff(path, tuple(self._line(line) for line in lines))

    def _line(self, line: str) -> str:
        return f"{line[:1]}{MASK}" if not line.startswith("@@") and self._masking.hides(line) else line


def _definition(name: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """A service's definition, with the networks and volumes that it names."""
    service = document.get("services", {}).get(name) or {}
    found: dict[str, Any] = {key: value for key, value in service.items() if key not in _APART}
    for section in ("networks", "volumes"):
        for one in _sources(name, document, section):
            settings = (document.get(section) or {}).get(one)
            if settings:
                found[f"{section} {one}"] = settings
    return found


def _sources(name: str, document: Mapping[str, Any], section: str) -> set[str]:
    entries = (document.get("services", {}).get(name) or {}).get(section) or ()
    return (
        {*entries}
        if isinstance(entries, Mapping)
        else {str(one["source"]) for one in entries if one.get("source") and one.get("type") != "bind"}
    )


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every value by its path; a list of plain values counts as one."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        for number, inner in enumerate(value):
            mark = inner.get("target") or inner.get("source") if isinstance(inner, Mapping) else None
            yield from _leaves(inner, f"{path}[{mark or number}]")
    else:
        yield path, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(str(one) for one in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None or value == {} else str(value)
