"""Shell words as a Dockerfile has them: quotes, escapes, `$name` and `${name…}`.

Source: Docker's Dockerfile reference, "Environment replacement", and the POSIX shell's parameter expansion
(POSIX.1-2024 XCU 2.6.2), of which Docker takes a part. Knows nothing of instructions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zonehost.builder.faults import SyntaxFault

if TYPE_CHECKING:
    from collections.abc import Mapping

WHITE_SPACE = frozenset(
    "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
)
_SPECIAL_PARAMETERS = frozenset("@*#?-$!0")


@dataclass(frozen=True, slots=True)
class Expansion:
    """What a word became: as one text, split at unquoted white space, and the variables it asked for."""

    text: str
    words: tuple[str, ...]
    used: frozenset[str]
    unset: frozenset[str]


@dataclass(frozen=True, slots=True)
class Style:
    """How to read words. The defaults are those of a Dockerfile's arguments."""

    escape: str = "\\"
    plain_quotes: bool = False
    """Quotes have no meaning, as within a here-document."""
    raw_quotes: bool = False
    raw_escapes: bool = False
    keep_unset: bool = False


def expand(word: str, variables: Mapping[str, str], style: Style | None = None) -> Expansion:
    """Expand the variables of `word` and take its quotes and escapes away. Raises SyntaxFault."""
    reader = _Reader(word, variables, style or Style())
    text, words = reader.read_until("", reader.style.raw_escapes)
    return Expansion(text, tuple(words), frozenset(reader.used), frozenset(reader.unset))


@dataclass(slots=True)
class _Splitter:
    """Collects characters into words. Only unquoted white space separates."""

    words: list[str] = field(default_factory=list)
    word: str = ""

    def add(self, text: str) -> None:
        for character in text:
            if character not in WHITE_SPACE:
                self.word += character
            elif self.word:
                self.words.append(self.word)
                self.word = ""

    def add_quoted(self, text: str) -> None:
        self.word += text

    def close(self) -> list[str]:
        if self.word:
            self.words.append(self.word)
            self.word = ""
        return self.words


class _Reader:
    def __init__(self, text: str, variables: Mapping[str, str], style: Style) -> None:
        self.text = text
        self.at = 0
        self.variables = variables
        self.style = style
        self.raw_escapes = style.raw_escapes
        self.used: set[str] = set()
        self.unset: set[str] = set()

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def next(self) -> str:
        character = self.peek()
        self.at += 1
        return character

    def read_until(self, stop: str, raw_escapes: bool) -> tuple[str, list[str]]:
        """Read to the unquoted character `stop` (eaten), or to the end where `stop` is empty."""
        outer, self.raw_escapes = self.raw_escapes, raw_escapes
        try:
            return self._read_until(stop)
        finally:
            self.raw_escapes = outer

    def _read_until(self, stop: str) -> tuple[str, list[str]]:
        result: list[str] = []
        split = _Splitter()
        while character := self.peek():
            if character == stop:
                self.at += 1
                return "".join(result), split.close()
            if character == "$":
                value = self.dollar()
                result.append(value)
                split.add(value)
            elif character in "'\"" and not self.style.plain_quotes:
                value = self.single_quoted() if character == "'" else self.double_quoted()
                result.append(value)
                split.add_quoted(value)
            elif character == self.style.escape:
                self.at += 1
                escaped = self.next()
                # An escape at the very end of a word stands for nothing.
                kept = (character if self.raw_escapes else "") + escaped
                result.append(kept)
                split.add_quoted(kept)
            else:
                self.at += 1
                result.append(character)
                split.add(character)
        if stop:
            raise SyntaxFault(f"unexpected end of statement while looking for matching {stop}", self.at)
        return "".join(result), split.close()

    def single_quoted(self) -> str:
        start = self.at
        end = self.text.find("'", start + 1)
        if end < 0:
            raise SyntaxFault("unexpected end of statement while looking for matching single-quote", start)
        self.at = end + 1
        return self.text[start : end + 1] if self.style.raw_quotes else self.text[start + 1 : end]

    def double_quoted(self) -> str:
        start = self.at
        quote = '"' if self.style.raw_quotes else ""
        result = [quote]
        self.at += 1
        while character := self.peek():
            if character == '"':
                self.at += 1
                result.append(quote)
                return "".join(result)
            if character == "$":
                result.append(self.dollar())
                continue
            self.at += 1
            if character == self.style.escape:
                if self.raw_escapes:
                    result.append(character)
                follower = self.peek()
                if not follower:
                    continue
                # Within double quotes an escape stays, unless it is before one of these (POSIX XCU 2.2.3).
                if follower in ('"', "$", self.style.escape):
                    character = self.next()
            result.append(character)
        raise SyntaxFault("unexpected end of statement while looking for matching double-quote", start)

    def dollar(self) -> str:
        start = self.at
        self.at += 1
        if self.peek() != "{":
            name = self.name()
            if not name:
                return "$"
            value = self.value(name)
            return (f"${name}" if self.style.keep_unset else "") if value is None else value
        self.at += 1
        if not self.peek():
            raise SyntaxFault("syntax error: missing '}'", start)
        if self.peek() in "{}:":
            raise SyntaxFault("syntax error: bad substitution", start)
        name = self.name()
        return self.substitution(name, start)

    def substitution(self, name: str, start: int) -> str:
        modifier = self.next()
        if modifier == "}":
            value = self.value(name)
            return (f"${{{name}}}" if self.style.keep_unset else "") if value is None else value
        if modifier == "/":
            return self.replacement(name, start)
        shown = modifier
        null_is_unset = modifier == ":"
        if null_is_unset:
            modifier = self.next()
            shown += modifier
        elif modifier not in ("+", "-", "?", "#", "%"):
            raise SyntaxFault(f"unsupported modifier ({shown}) in substitution", start)
        word = self.operand("}", modifier in ("#", "%"), "syntax error: missing '}'", start)
        value = self.value(name)
        if value is None and self.style.keep_unset:
            return f"${{{name}{shown}{word}}}"
        missing = value is None or (null_is_unset and value == "")
        if modifier == "-":
            return word if missing else value or ""
        if modifier == "+":
            return "" if missing else word
        if modifier == "?":
            if missing:
                default = "is not allowed to be unset" if value is None else "is not allowed to be empty"
                raise SyntaxFault(f"{name}: {word or default}", start)
            return value or ""
        if modifier in ("#", "%"):
            greedy = word.startswith(modifier)
            pattern = word[1:] if greedy else word
            return _trim(pattern, value or "", greedy, from_end=modifier == "%", start=start)
        raise SyntaxFault(f"unsupported modifier ({shown}) in substitution", start)

    def replacement(self, name: str, start: int) -> str:
        everywhere = self.peek() == "/"
        if everywhere:
            self.at += 1
        pattern = self.operand("/", True, "syntax error: missing '/' in ${}", start)
        new = self.operand("}", True, "syntax error: missing '}'", start)
        value = self.value(name)
        if value is None and self.style.keep_unset:
            return f"${{{name}/{pattern}/{new}}}"
        found = _glob(pattern, greedy=True, start=start)
        return _replace(found, new, value or "", everywhere)

    def operand(self, stop: str, raw_escapes: bool, missing: str, start: int) -> str:
        try:
            return self.read_until(stop, raw_escapes)[0]
        except SyntaxFault as fault:
            if not self.peek():
                raise SyntaxFault(missing, start) from fault
            raise

    def name(self) -> str:
        start = self.at
        first = self.peek()
        if first.isdecimal():
            while self.peek().isdecimal():
                self.at += 1
        elif first and first in _SPECIAL_PARAMETERS:
            self.at += 1
        else:
            while (character := self.peek()) and (character.isalpha() or character.isdecimal() or character == "_"):
                self.at += 1
        return self.text[start : self.at]

    def value(self, name: str) -> str | None:
        found = self.variables.get(name)
        (self.unset if found is None else self.used).add(name)
        return found


def _glob(pattern: str, *, greedy: bool, start: int) -> re.Pattern[str]:
    """A shell pattern of `*`, `?` and `\\`, without bracket expressions, as a regular expression."""
    star = ".*" if greedy else ".*?"
    out: list[str] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            out.append(star)
        elif character == "?":
            out.append(".")
        elif character == "\\":
            follower = pattern[at : at + 1]
            if follower in ("}", "/"):
                # The escape kept these from ending the substitution; it is no part of the pattern.
                continue
            if follower not in ("*", "?", "\\"):
                raise SyntaxFault(f"invalid pattern ({pattern}) in substitution: invalid escape '\\{follower}'", start)
            out.append(re.escape(follower))
            at += 1
        else:
            out.append(re.escape(character))
    return re.compile("".join(out))


def _trim(pattern: str, value: str, greedy: bool, *, from_end: bool, start: int) -> str:
    if not from_end:
        found = _glob(pattern, greedy=greedy, start=start).match(value)
        return value[found.end() :] if found else value
    found = _glob(_reverse(pattern), greedy=greedy, start=start).match(value[::-1])
    return value[: len(value) - found.end()] if found else value


def _reverse(pattern: str) -> str:
    """The pattern backwards, each escape still before what it escapes."""
    return "".join(reversed(re.findall(r"\\.|.|\\", pattern, re.DOTALL)))


def _replace(pattern: re.Pattern[str], new: str, value: str, everywhere: bool) -> str:
    """Replace one match or all; an empty match right after another match does not count, as in Go and in shells."""
    out: list[str] = []
    end = -1
    copied = 0
    for found in pattern.finditer(value):
        if found.start() == found.end() == end:
            continue
        out += (value[copied : found.start()], new)
        copied = end = found.end()
        if not everywhere:
            break
    return "".join(out) + value[copied:]
