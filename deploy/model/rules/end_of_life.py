"""Until when releases of what images are made of get security updates.

Source: endoflife.date, its repository as of `AS_OF`. Dates of long-term support count where images are still built by
it (Debian). Ends that nobody has announced yet are left out.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import cache

AS_OF = dt.date(2026, 8, 22)

_TABLE = """\
alpine: 3.10 2021-05-01, 3.11 2021-11-01, 3.12 2022-05-01, 3.13 2022-11-01, 3.14 2023-05-01, 3.15 2023-11-01, 3.16
  2024-05-23, 3.17 2024-11-22, 3.18 2025-05-09, 3.19 2025-11-01, 3.20 2026-04-01, 3.21 2026-11-01, 3.22 2027-05-01,
  3.23 2027-11-01, 3.24 2028-06-01
debian: 8 2020-06-30, 9 2022-07-01, 10 2024-06-30, 11 2026-08-31, 12 2028-06-30, 13 2030-06-30
golang: 1.16 2022-03-15, 1.17 2022-08-02, 1.18 2023-02-01, 1.19 2023-09-06, 1.20 2024-02-06, 1.21 2024-08-13, 1.22
  2025-02-11, 1.23 2025-08-12, 1.24 2026-02-10, 1.25 2026-08-19, 1.26 -, 1.27 -
mariadb: 10.3 2023-05-25, 10.4 2024-06-18, 10.5 2025-06-24, 10.6 2026-07-06, 10.7 2023-02-09, 10.8 2023-05-20, 10.9
  2023-08-22, 10.10 2023-11-17, 10.11 2028-02-16, 11.0 2024-06-06, 11.1 2024-08-21, 11.2 2024-11-21, 11.3
  2024-05-29, 11.4 2029-05-29, 11.5 2024-11-21, 11.6 2025-02-13, 11.7 2025-05-12, 11.8 2028-06-04, 12.0 2025-11-18,
  12.1 2026-02-13, 12.2 2026-05-28, 12.3 2029-06-12
mongo: 4.0 2022-04-30, 4.2 2023-04-30, 4.4 2024-02-29, 5.0 2024-10-31, 5.1 2022-01-19, 5.2 2022-03-23, 5.3
  2022-07-19, 6.0 2025-07-31, 6.1 2023-02-09, 6.2 2023-04-24, 6.3 2023-08-31, 7.0 2027-08-31, 7.1 2024-01-23, 7.2
  2024-03-27, 7.3 2024-10-02, 8.0 2029-10-31, 8.1 2025-09-30, 8.2 2026-07-31, 8.3 2029-10-31
mysql: 5.6 2021-02-28, 5.7 2023-10-31, 8.0 2026-04-30, 8.1 2023-10-25, 8.2 2023-12-14, 8.3 2024-04-10, 8.4
  2032-04-30, 9.0 2024-10-15, 9.1 2025-01-21, 9.2 2025-04-15, 9.3 2025-07-22, 9.4 2025-10-21, 9.5 2026-01-20, 9.6
  2026-04-21, 9.7 2034-04-21
nginx: 1.18 2021-04-20, 1.19 2021-05-25, 1.20 2022-05-24, 1.21 2022-06-21, 1.22 2023-04-11, 1.23 2023-05-23, 1.24
  2024-04-23, 1.25 2024-05-29, 1.26 2025-04-23, 1.27 2025-06-24, 1.28 2026-04-14, 1.29 2026-05-13, 1.30 -, 1.31 -
node: 8 2019-12-31, 9 2018-06-30, 10 2021-04-30, 11 2019-06-30, 12 2022-04-30, 13 2020-06-01, 14 2023-04-30, 15
  2021-06-01, 16 2023-09-11, 17 2022-06-01, 18 2025-04-30, 19 2023-06-01, 20 2026-04-30, 21 2024-06-01, 22
  2027-04-30, 23 2025-06-01, 24 2028-04-30, 25 2026-06-01, 26 2029-04-30
php: 5.6 2018-12-31, 7.0 2019-01-10, 7.1 2019-12-01, 7.2 2020-11-30, 7.3 2021-12-06, 7.4 2022-11-28, 8.0 2023-11-26,
  8.1 2025-12-31, 8.2 2026-12-31, 8.3 2027-12-31, 8.4 2028-12-31, 8.5 2029-12-31
postgres: 9.4 2020-02-13, 9.5 2021-02-11, 9.6 2021-11-11, 10 2022-11-10, 11 2023-11-09, 12 2024-11-21, 13
  2025-11-13, 14 2026-11-12, 15 2027-11-11, 16 2028-11-09, 17 2029-11-08, 18 2030-11-14
python: 2.7 2020-01-01, 3.0 2009-06-27, 3.1 2012-04-09, 3.2 2016-02-20, 3.3 2017-09-29, 3.4 2019-03-18, 3.5
  2020-09-30, 3.6 2021-12-23, 3.7 2023-06-27, 3.8 2024-10-07, 3.9 2025-10-31, 3.10 2026-10-31, 3.11 2027-10-31, 3.12
  2028-10-31, 3.13 2029-10-31, 3.14 2030-10-31
redis: 5.0 2022-04-27, 6.0 2022-05-31, 6.2 2027-04-01, 7.0 2024-07-29, 7.2 2029-12-01, 7.4 2029-12-01, 8.0
  2026-12-01, 8.2 2030-09-01, 8.4 -, 8.6 -, 8.8 -, 8.10 -
ruby: 2.5 2021-03-31, 2.6 2022-03-31, 2.7 2023-03-31, 3.0 2024-04-23, 3.1 2025-03-26, 3.2 2026-03-31, 3.3
  2027-03-31, 3.4 2028-03-31, 4.0 2029-03-31
ubuntu: 16.04 2021-04-02, 16.10 2017-07-20, 17.04 2018-01-13, 17.10 2018-07-19, 18.04 2023-05-31, 18.10 2019-07-18,
  19.04 2020-01-23, 19.10 2020-07-06, 20.04 2025-05-31, 20.10 2021-07-22, 21.04 2022-01-20, 21.10 2022-07-14, 22.04
  2027-04-01, 22.10 2023-07-20, 23.04 2024-01-20, 23.10 2024-07-12, 24.04 2029-05-31, 24.10 2025-07-10, 25.04
  2026-01-17, 25.10 2026-07-01, 26.04 2031-04-30
valkey: 7.2 2029-04-16, 8.0 2027-09-15, 8.1 2030-03-31, 9.0 2028-10-21, 9.1 -
"""
_SUITES = {
    "jessie": ("debian", "8"),
    "stretch": ("debian", "9"),
    "buster": ("debian", "10"),
    "bullseye": ("debian", "11"),
    "bookworm": ("debian", "12"),
    "trixie": ("debian", "13"),
    "xenial": ("ubuntu", "16.04"),
    "bionic": ("ubuntu", "18.04"),
    "focal": ("ubuntu", "20.04"),
    "jammy": ("ubuntu", "22.04"),
    "noble": ("ubuntu", "24.04"),
}
"""What tags call releases of the systems below: `python:3.9-bullseye`."""
_OF_POSTGRES = frozenset({"pgvector", "postgis", "postgresql", "timescaledb"})
"""Images that carry PostgreSQL and have its version in their tag."""
_VERSION = re.compile(r"(?:^|-)v?(\d+(?:\.\d+)*)(?![\d.])")
_POSTGRES_VERSION = re.compile(r"(?:^|-)pg(\d+)")
_ALPINE = re.compile(r"-alpine(\d+\.\d+)$")


def ends_of(name: str, tag: str) -> tuple[tuple[str, dt.date], ...]:
    """What an image is made of and is known here, each with its end: `("python 3.9", date(2025, 10, 31))`.

    `name` is the image's without registry and vendor. A tag that leaves the minor version open stands for the newest.
    """
    program = "postgres" if name in _OF_POSTGRES else name
    version = (program == "postgres" and _POSTGRES_VERSION.search(tag)) or _VERSION.search(tag)
    found = [(program, version[1])] if version else []
    found += [_SUITES[word] for word in tag.split("-") if word in _SUITES]
    if alpine := _ALPINE.search(f"-{tag}"):
        found.append(("alpine", alpine[1]))
    ends = dict(end for one, release in found if (end := _end(one, release)))
    return tuple(ends.items())


def longest(program: str) -> tuple[str, dt.date] | None:
    """The release of a program that is kept up the longest, and until when; None for one that is not known."""
    dated = [(release, end) for release, end in _table().get(program, {}).items() if end]
    return max(dated, key=lambda one: one[1], default=None)


def _end(program: str, version: str) -> tuple[str, dt.date] | None:
    """What it is and until when; None where the version is not known, or has no end yet."""
    releases = _table().get(program, {})
    parts = version.split(".")
    for release, end in releases.items():
        if release.split(".") == parts[: len(release.split("."))]:
            return (f"{program} {release}", end) if end else None
    within = [end for release, end in releases.items() if release.split(".")[: len(parts)] == parts]
    last = max((end for end in within if end), default=None)
    return (f"{program} {version}", last) if last and all(within) else None


@cache
def _table() -> dict[str, dict[str, dt.date | None]]:
    """By program its releases, each with its end; None for one whose end is not announced."""
    found: dict[str, dict[str, dt.date | None]] = {}
    for line in _TABLE.replace("\n  ", " ").splitlines():
        program, _, releases = line.partition(": ")
        pairs = (one.split() for one in releases.split(", "))
        found[program] = {release: None if end == "-" else dt.date.fromisoformat(end) for release, end in pairs}
    return found
