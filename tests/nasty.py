"""Texts that a shell, ssh, SQL or HAProxy would read otherwise than they are meant, made from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

ALPHABET = (
    *" \t\n'\"`$\\;&|*?[]{}()<>#~!%^=:,@/-.+",
    *(
        "$(touch pwned)",
        "`touch pwned`",
        "${HOME}",
        "$$",
        "''",
        '""',
        "\\'",
        "-n",
        "--",
        "%s",
        "%%",
        "\r",
        "é",
        "日本",
        "🙂",
    ),
    *"aZ0_",
    "\x01",
    "\x7f",
)
KNOWN = (
    "",
    "-",
    "--help",
    "-oProxyCommand=touch pwned",
    "a b",
    "it's",
    'say "hi"',
    "$(touch pwned)",
    "`touch pwned`",
    "a;touch pwned",
    "a&&touch pwned",
    "a|touch pwned",
    "*",
    "~",
    "~root",
    "!!",
    "a\nb",
    "a\\",
    "'",
    '"',
    "$HOME ${HOME} $$",
    "a=b",
    "{a,b}",
    "# no comment",
    "\ttab",
    "ünïcode 日本 🙂",
    "x" * 5000,
)
"""What people and attackers write; what is made up comes on top."""


def texts(seed: int, count: int) -> Iterator[str]:
    """The known ones, then `count` made up ones: the same for the same seed."""
    yield from KNOWN
    chance = random.Random(seed)  # noqa: S311  # the same again is the point
    for _ in range(count):
        yield "".join(chance.choices(ALPHABET, k=chance.randint(1, 12)))
