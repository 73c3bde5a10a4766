"""Reading an env file as compose reads it, with the place of every part.

The rules are those of compose-go's `dotenv` package (`parser.go`, the same from v2.0 to v2.13); a test holds the two
against each other. They are not python-dotenv's: a colon does for an equals sign, more than one statement may stand in
a line, a backslash in single quotes means something before a quote alone, and `${A+b}` is known.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from deploy.model.envfile.template import Lookup, TemplateError, substitute
from deploy.model.errors import UsageError

BOM = "\ufeff"
_BLANK = "\t\v\f\r \x85\xa0"
"""White space that does not end a line."""
_SPACE = _BLANK + "\n\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
_EXPORT = re.compile(r"export[ \t\n\f\r]+")
_ESCAPE = re.compile(r'\\(?:(?P<letter>[abcfnrtv$"\\])|0(?P<octal>[0-9]{0,3}))')
_MEANING = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "$": "$$",
    '"': '"',
    "\\": "\\",
}
_HIGHEST_BYTE = 0o377


@dataclass(frozen=True)
class Assignment:
    """One statement of an env file. Offsets count characters of the file's text."""

    name: str
    line: int
    """From 1 on."""
    start: int
    name_end: int
    value_start: int
    """Where the value begins, with its quote; the name's end where there is no value at all."""
    value_end: int
    quote: str
    """The quote that the value stands in; empty without one."""
    raw: str = field(repr=False)
    """What stands between the quotes, `\\"` already taken for a quote."""
    bare: bool = False
    """Whether there is a name alone: the variable has the value it has in compose's own environment."""

    def value(self, lookup: Lookup, unset: list[str]) -> str | None:
        """What compose makes of it; `unset` gets names of variables that were taken for blank."""
        if self.bare:
            return lookup(self.name)
        if self.quote == "'":
            return self.raw
        return substitute(_unescaped(self.raw) if self.quote else self.raw, lookup, unset.append)


@dataclass(frozen=True)
class Unset:
    """A variable that the value of another refers to and nothing sets: it counts as blank."""

    name: str
    line: int
    variable: str


@dataclass(frozen=True)
class Variables:
    """What an env file comes to."""

    values: Mapping[str, str] = field(repr=False)
    unset: tuple[Unset, ...] = ()


def decoded(content: bytes, source: str) -> str:
    """The text of an env file. Raises UsageError with the line that is not UTF-8, or has a NUL byte."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{source}:{line}: byte 0x{content[error.start]:02x} is not UTF-8",
            f"save it as UTF-8, for example: iconv -f latin1 -t utf-8 {source}",
        ) from error
    if (nul := content.find(b"\0")) >= 0:
        line = content.count(b"\n", 0, nul) + 1
        raise UsageError(f"{source}:{line}: a NUL byte, which no text has", "remove it, or save the file anew")
    return text


def parse(text: str, source: str) -> tuple[Assignment, ...]:
    """The statements of an env file, in their order; of equal names the last one counts.

    `source` is how messages call the file. Raises UsageError with file and line, and nothing of a value.
    """
    return tuple(_Parser(text, source).statements())


def evaluate(assignments: Sequence[Assignment], environ: Mapping[str, str], source: str) -> Variables:
    """Values, with variables of `environ` (which counts more) and of earlier lines put in.

    Raises UsageError with file and line.
    """
    values: dict[str, str] = {}
    unset: list[Unset] = []

    def lookup(name: str) -> str | None:
        return environ[name] if name in environ else values.get(name)

    for one in assignments:
        blank: list[str] = []
        try:
            value = one.value(lookup, blank)
        except TemplateError as error:
            raise UsageError(
                f"{source}:{one.line}: {one.name}: {error}",
                "put the value into single quotes where every $ is meant as it stands",
            ) from error
        unset += (Unset(one.name, one.line, name) for name in blank)
        if value is not None and "\0" in value:
            raise UsageError(f"{source}:{one.line}: {one.name}: the value has a NUL in it", "no environment holds one")
        if one.name and value is not None:
            values[one.name] = value
    return Variables(values, tuple(unset))


def read(text: str, environ: Mapping[str, str], source: str) -> Mapping[str, str]:
    """The variables of an env file's text. Raises UsageError with file and line."""
    return evaluate(parse(text, source), environ, source).values


class _Parser:
    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source
        self._at = len(BOM) if text.startswith(BOM) else 0
        self._line = 1

    def statements(self) -> Iterator[Assignment]:
        while self._at_statement():
            yield self._statement()

    def _at_statement(self) -> bool:
        """Go on to the next statement, past blank lines and comments; whether there is one."""
        text = self._text
        while self._at < len(text):
            if text[self._at] == "#":
                self._at = self._end_of_line()
            elif text[self._at] in _SPACE:
                self._line += text[self._at] == "\n"
                self._at += 1
            else:
                return True
        return False

    def _end_of_line(self) -> int:
        end = self._text.find("\n", self._at)
        return len(self._text) if end < 0 else end

    def _skip_blanks(self) -> None:
        while self._at < len(self._text) and self._text[self._at] in _BLANK:
            self._at += 1

    def _statement(self) -> Assignment:
        start, line = self._at, self._line
        export = _EXPORT.match(self._text, start)
        if export:
            self._at = start + len("export")
            self._skip_blanks()
            if self._at == len(self._text):
                raise self._error(line, "nothing follows 'export'", "name the variable after it, or take it out")
        name_start, end = self._at, self._name_end()
        name = self._text[name_start:end].rstrip(_SPACE)
        name_end = name_start + len(name)
        ended = end == len(self._text)
        if ended or (self._text[end] == "\n" and " " in name):
            raise self._error(line, "there is no '=' in this line", "write NAME=value, or # before a comment")
        if self._text[end] == "\n":
            self._at = end + 1
            self._line += 1
            return Assignment(name, line, start, name_end, name_end, name_end, "", "", bare=True)
        if not name:
            raise self._error(line, "there is no name in this line", "write NAME=value, or # before a comment")
        if " " in name:
            raise self._error(
                line, "a name has no blank in it", "write NAME=value, with nothing before NAME but export"
            )
        self._at = end + 1
        self._skip_blanks()
        return self._with_value(name, line, start, name_end)

    def _name_end(self) -> int:
        """Where the separator after a name is, or the end of the text."""
        for at in range(self._at, len(self._text)):
            character = self._text[at]
            if character in "=:\n":
                return at
            if character in _BLANK or character in "_.-[]" or _in_a_name(character):
                continue
            shown = f"'{character}'" if character.isprintable() else f"U+{ord(character):04X}"
            raise self._error(
                self._line,
                f"{shown} cannot stand in the name of a variable",
                "write NAME=value, # before a comment, and quotes around a value of several lines",
            )
        return len(self._text)

    def _with_value(self, name: str, line: int, start: int, name_end: int) -> Assignment:
        text, begin = self._text, self._at
        quote = text[begin : begin + 1]
        if quote not in {"'", '"'}:
            end = self._end_of_line()
            raw = text[begin:end].partition(" #")[0].rstrip(_SPACE)
            self._at = min(end + 1, len(text))
            self._line += 1
            return Assignment(name, line, start, name_end, begin, begin + len(raw), "", raw)
        raw_parts: list[str] = []
        at = begin + 1
        while at < len(text) and text[at] != quote:
            width = 2 if text[at] == "\\" else 1
            part = text[at : at + width]
            raw_parts.append(quote if part == f"\\{quote}" else part)
            at += width
        if at >= len(text):
            raise self._error(line, f"{name}: the value's {quote} is never closed", f"add {quote} at its end")
        raw = "".join(raw_parts)
        self._line += text.count("\n", begin, at)
        self._at = at + 1
        return Assignment(name, line, start, name_end, begin, at + 1, quote, raw)

    def _error(self, line: int, what: str, remedy: str) -> UsageError:
        return UsageError(f"{self._source}:{line}: {what}", remedy)


def _in_a_name(character: str) -> bool:
    return character.isalpha() or unicodedata.category(character).startswith("N")


def _unescaped(text: str) -> str:
    """The escapes of double quotes. A dollar that was escaped is doubled, for the putting in of variables."""
    return _ESCAPE.sub(_meaning, text)


def _meaning(found: re.Match[str]) -> str:
    letter = found["letter"]
    if letter:
        return _MEANING.get(letter, found[0])  # compose knows \c and does nothing with it
    digits = found["octal"]
    if re.fullmatch("[0-7]{3}", digits) and int(digits, 8) <= _HIGHEST_BYTE:
        return chr(int(digits, 8))
    return f"\\{digits}"  # so compose does with what is no character, without the 0
