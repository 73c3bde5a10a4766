"""Point in time: which moments the WAL of a database reaches, and which of it nobody needs any more."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from deploy.model.backup import Manifest, Part, StoreKind
from deploy.model.errors import UsageError

PARTIAL = ".partial"
"""Ends the name of the segment that is being received."""
_SEGMENT = re.compile(r"[0-9A-F]{24}")
_LOG_BYTES = 1 << 32
"""Of WAL that share the middle eight digits of their segments' names."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?( ?(Z|[+-]\d\d(:?\d\d)?))?")


@dataclass(frozen=True)
class Segment:
    """A file of WAL as it was received."""

    service: str
    chain: str
    """Its folder: segments of one server without a break that the receiver knows of."""
    name: str
    size_bytes: int

    @property
    def partial(self) -> bool:
        return self.name.endswith(PARTIAL)

    @property
    def number(self) -> int:
        """Counted from the server's first: the next one follows, whatever the timeline."""
        return segment_number(self.name, self.size_bytes)

    @property
    def path(self) -> str:
        """Below the folder of all archives."""
        return f"{self.service}/{self.chain}/{self.name}"


@dataclass(frozen=True)
class Base:
    """A copy of a server's files that WAL leads on from."""

    manifest: Manifest
    part: Part

    @property
    def chain(self) -> str:
        return self.part.facts["chain"]

    @property
    def start(self) -> str:
        """The segment that recovery begins with."""
        return self.part.facts["start_wal"]

    @property
    def consistent_at(self) -> datetime:
        """The earliest moment that can be recovered from it, by the server's clock."""
        return datetime.fromisoformat(self.part.facts["consistent_at"])


@dataclass(frozen=True)
class Span:
    """Moments that can be recovered from one base, by the clock of the server."""

    base: Base
    since: datetime
    until: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.since <= moment <= self.until


def parse_segments(text: str) -> tuple[Segment, ...]:
    """From what `archive.sh list` printed: lines of "BYTES SERVICE/CHAIN/NAME", in any order."""
    found = []
    for line in text.splitlines():
        size, _, path = line.partition(" ")
        service, chain, name = path.split("/")
        if _SEGMENT.fullmatch(name.removesuffix(PARTIAL)):
            found.append(Segment(service, chain, name, int(size)))
    return tuple(sorted(found, key=lambda one: (one.service, one.chain, one.number)))


def segment_number(name: str, size_bytes: int) -> int:
    """`000000010000000200000003` of 16 MB: 2 * 256 + 3."""
    return int(name[8:16], 16) * (_LOG_BYTES // size_bytes) + int(name[16:24], 16)


def bases_of(manifests: Iterable[Manifest], service: str) -> tuple[Base, ...]:
    """The bases of a database among some good backups, oldest first."""
    found = (
        Base(manifest, part)
        for manifest in manifests
        for part in manifest.parts
        if part.kind == StoreKind.BASE and part.service == service
    )
    return tuple(sorted(found, key=lambda one: one.consistent_at))


def run_of(base: Base, segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """The segments that lead on from a base without a gap; none where its first is missing."""
    numbered = {one.number: one for one in segments if (one.service, one.chain) == (base.part.service, base.chain)}
    if not numbered:
        return ()
    number = segment_number(base.start, next(iter(numbered.values())).size_bytes)
    found = []
    while one := numbered.get(number):
        found.append(one)
        number += 1
    return tuple(found)


def covered(base: Base, run: Sequence[Segment]) -> bool:
    """Whether a run has all that the base needs to be consistent."""
    return bool(run) and segment_number(base.part.facts["end_wal"], run[0].size_bytes) <= run[-1].number


@dataclass(frozen=True)
class Kept:
    """How it stands with point in time of one database."""

    service: str
    problem: str = ""
    since: datetime | None = None
    """The earliest moment from which every one until now can be had; None where a base is still to be taken."""
    size_bytes: int = 0

    def __str__(self) -> str:
        reach = f"every moment since {self.since:%Y-%m-%d %H:%M:%S} UTC" if self.since else "no base backup yet"
        return f"point in time of {self.service}: {reach}"


def kept_of(service: str, bases: Sequence[Base], segments: Sequence[Segment], problem: str) -> Kept:
    """From the bases of a database, oldest first, all segments there are, and what is wrong with receiving more."""
    own = [one for one in segments if one.service == service]
    size_bytes = sum(one.size_bytes for one in own)
    newest = max((one.chain for one in own), key=_begun, default="")
    last = max((one.number for one in own if one.chain == newest), default=0)
    runs = [(base, run_of(base, own)) for base in bases if base.chain == newest]
    since = next((base.consistent_at for base, run in runs if covered(base, run) and run[-1].number == last), None)
    if bases and not since and not problem:
        problem = f"{service}: its newest WAL leads on from no base: take one by db.backup"
    return Kept(service, problem, since, size_bytes)


def told_spans(spans: Iterable[Span], zone: tzinfo | None = None) -> str:
    """What can be recovered: "from 2026-11-21 09:00:12 to 2026-11-21 10:41:03 CET"; those that overlap become one."""
    joined: list[tuple[datetime, datetime]] = []
    for span in sorted(spans, key=lambda one: one.since):
        if joined and span.since <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], span.until))
        else:
            joined.append((span.since, span.until))
    # a second that is not whole is left out on both sides: what is told can be asked for
    return ", or ".join(f"from {_text(since, zone, up=True)} to {_text(until, zone)}" for since, until in joined)


def _text(moment: datetime, zone: tzinfo | None, *, up: bool = False) -> str:
    whole = moment.replace(microsecond=0)
    if up and whole != moment:
        whole = datetime.fromtimestamp(whole.timestamp() + 1, UTC)
    return f"{whole.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def parse_moment(text: str, now: datetime, zone: tzinfo | None = None) -> datetime:
    """A moment as users write it: ISO 8601, with a zone, or else in `zone`, which is this machine's own unless given.

    Raises UsageError for anything else, and for one that is still to come.
    """
    remedy = "write it as '2026-11-21 10:05' (your own time), or with a zone: '2026-11-21 10:05:30+01:00', '…Z'"
    try:
        if not _MOMENT.fullmatch(text.strip()):
            raise ValueError(text)
        moment = datetime.fromisoformat(text.strip().replace(" +", "+").replace(" -", "-").replace(" Z", "Z"))
    except ValueError as error:
        raise UsageError(f"--at {text}: that is no time of a day", remedy) from error
    if moment.tzinfo is None:
        # without a zone Python goes by the rules of the place at that moment, in summer and in winter
        moment = moment.replace(tzinfo=zone) if zone else moment.astimezone()
    if moment > now:
        raise UsageError(f"--at {text}: that is still to come", f"it is {_text(now, zone)}")
    return moment.astimezone(UTC)


def needless(segments: Iterable[Segment], bases: Mapping[str, Sequence[Base]]) -> tuple[Segment, ...]:
    """Segments that none of the bases to be kept needs, by service.

    Of the newest chain of each service its newest whole segment and what is being received always stay: the receiver
    goes on from there. A service that is not among `bases` is left alone.
    """
    chains: defaultdict[tuple[str, str], list[Segment]] = defaultdict(list)
    newest: dict[str, str] = {}
    for one in segments:
        if one.service in bases:
            chains[one.service, one.chain].append(one)
            newest[one.service] = max(newest.get(one.service, ""), one.chain, key=_begun)
    return tuple(
        one
        for (service, chain), found in chains.items()
        for one in _needless(found, bases[service], chain, live=chain == newest[service])
    )


def _needless(found: Sequence[Segment], bases: Sequence[Base], chain: str, *, live: bool) -> Iterator[Segment]:
    starts = [segment_number(base.start, found[0].size_bytes) for base in bases if base.chain == chain]
    whole = [one.number for one in found if not one.partial]
    needed = min([*starts, *([max(whole, default=0)] if live else [])], default=None)
    for one in found:
        if needed is None or (one.number < needed and not (live and one.partial)):
            yield one


def _begun(chain: str) -> str:
    """When a chain began, as it is in its name."""
    return chain.rpartition("-")[2]
