"""Copies of backups in a restic repository off the machine: what there is, and what restic is asked and answers.

One snapshot is one backup's folder. Everything that listing and retention need stands in its tags, so that neither
opens a snapshot.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy.model.backup import Label, Manifest
from deploy.model.errors import DeployError, tail

IMAGE = "restic/restic:0.18.0"
"""Has restic, an SSH client and certificate authorities. 0.17 and newer say by their exit status what is wrong."""
MARK = "windlass"
PLACE = "/backups"
"""Where the folder of backups is in the container, and so in every snapshot."""
RETRY_LOCK = "--retry-lock=2m"
PASSWORD = "RESTIC_PASSWORD"  # noqa: S105  # its name
NO_REPOSITORY, LOCKED, WRONG_PASSWORD = 10, 11, 12
"""What restic ends with (0.17 and newer)."""
STALLED = "nothing moved"
"""How restic.sh begins to say that it has ended restic."""
_SSH = (
    "-o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=20 "
    "-o ServerAliveInterval=15 -o ServerAliveCountMax=4 -E /log/ssh"
)
"""It writes to a file of its own: of one that ends at once, restic passes on what it said only most of the time."""
_SHARE = re.compile(r"(100|\d{1,2})(\.\d+)?%")


@dataclass(frozen=True)
class Copy:
    """A backup in the repository."""

    id: str
    """Of the backup."""
    snapshot: str
    label: Label
    release: str
    started_at: datetime
    services: frozenset[str]
    size_bytes: int
    """Of its files, not of what they take there."""

    def document(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {
            "started_at": self.started_at.isoformat(),
            "services": sorted(self.services),
        }

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Copy:
        """Raises ValueError, KeyError or TypeError for what `document` has not made."""
        started = datetime.fromisoformat(raw["started_at"])
        values = {"started_at": started, "label": Label(raw["label"]), "services": frozenset(raw["services"])}
        return cls(**{**raw, **values})


@dataclass(frozen=True)
class Known:
    """What the repository had when it was last asked: remembered beside the backups, so that listing asks nobody."""

    repository: str
    at: datetime
    copies: tuple[Copy, ...] = ()

    def to_json(self) -> str:
        document = {"repository": self.repository, "at": self.at.isoformat()}
        return json.dumps(document | {"copies": [one.document() for one in self.copies]}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str, repository: str) -> Known | None:
        """None for a text that is none of ours, or that is about another repository."""
        try:
            raw = json.loads(text)
            copies = tuple(Copy.parse(one) for one in raw["copies"])
            known = cls(raw["repository"], datetime.fromisoformat(raw["at"]), copies)
        except (ValueError, KeyError, TypeError):
            return None
        return known if known.repository == repository else None


def local_folder(repository: str) -> str:
    """The folder of a repository that is one of the machine's own; empty for any other."""
    path = repository.removeprefix("local:")
    return path if path.startswith("/") else ""


def masked(repository: str) -> str:
    """A repository as messages may call it: without the password that an address can have."""
    return re.sub(r"(?<=://)[^/@\s]+@", "…@", repository)


def options(repository: str) -> tuple[str, ...]:
    """For every call: ssh asks nobody, takes no host key that it does not know, and ends when the other side has."""
    return ("--option", f"sftp.args={_SSH}") if repository.startswith("sftp:") else ()


def snapshots_words(project: str) -> tuple[str, ...]:
    """Every backup of one project that is there. Needs no lock."""
    return ("snapshots", "--json", "--no-lock", "--host", project, "--tag", MARK)


def backup_words(manifest: Manifest, environment: str) -> tuple[str, ...]:
    """One backup's folder, without what is only true on its machine: what drills have found there."""
    tags = (
        MARK,
        f"project:{manifest.project}",
        f"env:{environment}",
        f"id:{manifest.id}",
        f"label:{manifest.label}",
        f"release:{manifest.release}",
        *(f"service:{name}" for name in sorted(manifest.services)),
    )
    folder = f"{PLACE}/{manifest.id}"
    return (
        "backup",
        "--json",
        RETRY_LOCK,
        *("--host", manifest.project),
        *("--time", f"{manifest.started_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"),
        *(word for tag in tags for word in ("--tag", tag)),
        *("--exclude", f"{folder}/proofs.jsonl"),
        folder,
    )


def restore_words(copy: Copy) -> tuple[str, ...]:
    """One backup's files into its folder of the same name."""
    folder = f"{PLACE}/{copy.id}"
    return ("restore", "--json", "--no-lock", f"{copy.snapshot}:{folder}", "--target", folder)


def forget_words(snapshots: Iterable[str], *, prune: bool) -> tuple[str, ...]:
    """Snapshots by their ids, never by rules: what is kept is decided here."""
    return ("forget", RETRY_LOCK, *(("--prune",) if prune else ()), *snapshots)


def check_words(share: str) -> tuple[str, ...]:
    """The structure, and the content of a share of the packs: without reading them a flipped bit is not found."""
    return ("check", RETRY_LOCK, f"--read-data-subset={share}")


def is_share(text: str) -> bool:
    """Whether a text is a share as restic takes it: "10%", "2.5%", "100%"."""
    return bool(_SHARE.fullmatch(text)) and float(text[:-1]) > 0


def parse_snapshots(text: str) -> tuple[Copy, ...]:
    """Copies from restic's list, oldest first; each backup once, by its newest snapshot. Others' are left out."""
    found: dict[str, Copy] = {}
    for raw in sorted(json.loads(text or "[]") or (), key=lambda one: str(one["time"])):
        tags = [tag.partition(":") for tag in raw.get("tags") or ()]
        first = {name: value for name, _, value in reversed(tags)}
        if "id" not in first or first.get("label") not in {*Label}:
            continue
        found[first["id"]] = Copy(
            first["id"],
            raw["id"],
            Label(first["label"]),
            first.get("release", ""),
            _moment(raw["time"]),
            frozenset(value for name, _, value in tags if name == "service"),
            int((raw.get("summary") or {}).get("total_bytes_processed", 0)),
        )
    return tuple(sorted(found.values(), key=lambda one: (one.started_at, one.id)))


def _moment(text: str) -> datetime:
    """Go writes up to nine digits of a second, of which a datetime takes six."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))


@dataclass(frozen=True)
class Message:
    """One line of what restic says as it works."""

    done_bytes: int | None = None
    total_bytes: int = 0
    summary: Mapping[str, Any] | None = None
    """How it went, at the end of a backup or a restore."""
    text: str = ""


def parse_message(line: str) -> Message:
    """A line of JSON, or of text where a command knows no JSON."""
    try:
        raw = json.loads(line)
        kind = raw["message_type"]
    except (ValueError, KeyError, TypeError):
        return Message(text=line.strip())
    if kind == "status":
        done = raw.get("bytes_done", raw.get("bytes_restored", 0))
        return Message(int(done), int(raw.get("total_bytes", 0)))
    return Message(summary=raw) if kind == "summary" else Message()


def complaints(stderr: str) -> tuple[str, ...]:
    """What restic and its ssh say is wrong, in their words, each once."""
    return tuple(dict.fromkeys(line for text in stderr.splitlines() for line in _complaint(text)))


def _complaint(line: str) -> Iterator[str]:
    try:
        raw = json.loads(line)
        text = str(raw.get("message") or raw["error"]["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        text = line
    for one in text.splitlines():
        said = one.removeprefix("\x1b[2K").strip().removeprefix("Fatal: ")
        if said and "received, cleaning up" not in said:
            yield said


def why(exit_code: int, stderr: str, repository: str, machine: str, env_file: str) -> DeployError:
    """What is wrong with a repository, and what to do about it where that is known."""
    name = masked(repository)
    if exit_code == WRONG_PASSWORD:
        return DeployError(f"{PASSWORD} of {env_file} does not open {name}", "put in the one that it was made with")
    if exit_code == LOCKED:
        return DeployError(
            f"somebody else works in {name}",
            "try again when that has ended; the lock of one that was killed counts no more after 30 minutes",
        )
    if exit_code == NO_REPOSITORY:
        return DeployError(f"there is no repository in {name}", "is its disk mounted? inv db.upload makes a new one")
    said = complaints(stderr)
    details = tail("\n".join(said))
    if repository.startswith("sftp:") and (error := _ssh_trouble(stderr, _server(repository), machine, details)):
        return error
    stalled = next((line for line in said if line.startswith(STALLED)), "")
    if stalled:
        return DeployError(
            f"{name} does not answer, or takes no more: {stalled}",
            "see above; offsite.timeout_s in invoke.yaml is how long that may take",
            details=details,
        )
    return DeployError(f"{name}: {said[-1] if said else f'restic ended with status {exit_code}'}", details=details)


def _ssh_trouble(stderr: str, server: str, machine: str, details: str) -> DeployError | None:
    if "Host key verification failed" in stderr:
        return DeployError(
            f"{machine} does not know the host key of {server}",
            f"on {machine}: ssh {server}, compare its fingerprint, and say yes",
            details=details,
        )
    if "Permission denied (" in stderr:
        return DeployError(
            f"{server} does not let {machine} in",
            f"on {machine}: ssh-copy-id {server}; a key in ~/.ssh without a passphrase is what restic can use",
            details=details,
        )
    return None


def _server(repository: str) -> str:
    """What to give to ssh: of `sftp:user@host:/path` and `sftp://user@host:port/path`."""
    rest = repository.removeprefix("sftp:")
    if not rest.startswith("//"):
        return rest.partition(":")[0]
    server, _, port = rest[2:].partition("/")[0].partition(":")
    return f"-p {port} {server}" if port else server


def to_upload(here: Sequence[Manifest], there: Iterable[Copy], kept: Iterable[str]) -> tuple[Manifest, ...]:
    """Backups that are to be brought off-site, the newest first: those that are kept there and are not there yet."""
    have, wanted = {one.id for one in there}, set(kept)
    missing = [one for one in here if one.id not in have and one.id in wanted]
    return tuple(sorted(missing, key=lambda one: (one.started_at, one.id), reverse=True))
