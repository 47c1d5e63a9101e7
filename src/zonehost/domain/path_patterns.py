"""Patterns of paths as .dockerignore has them: `*`, `?`, `[…]`, `**`, `!`. Matching only; no files.

Source: Docker's documentation of .dockerignore, and Go's path/filepath.Match whose rules it refers to.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from zonehost.errors import InvalidParameter

_NOT_LITERAL = re.compile(r"[*?\[\]\\]")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern; `negated` takes back what earlier ones matched."""

    text: str
    negated: bool
    expression: re.Pattern[str] = field(repr=False)

    def matches(self, path: str) -> bool:
        """Whether it matches this very path, not one above it."""
        return self.expression.fullmatch(path) is not None


class PatternList:
    """Patterns in order: the last one that matches a path, or a directory above it, decides."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Raises InvalidParameter for a pattern that cannot be."""
        self.patterns = tuple(_compile(text) for pattern in patterns if (text := pattern.strip()))
        self.any_negated = any(pattern.negated for pattern in self.patterns)

    def __bool__(self) -> bool:
        return bool(self.patterns)

    def matches(self, path: str) -> bool:
        """Whether a relative path with slashes is matched, by itself or through a directory above it."""
        return self.walk(path, None)[0]

    def walk(self, path: str, above: tuple[bool, ...] | None) -> tuple[bool, tuple[bool, ...]]:
        """As `matches`, for a walk down a tree: takes what the parent directory matched, returns what this path did.

        `above` None asks about all directories above the path here and now.
        """
        matched = False
        which = []
        for index, pattern in enumerate(self.patterns):
            hit = bool(above and above[index]) or pattern.matches(path)
            if not hit and above is None:
                hit = any(map(pattern.matches, _parents(path)))
            which.append(hit)
            if hit:
                matched = not pattern.negated
        return matched, tuple(which)


def read_ignore_file(data: bytes) -> list[str]:
    """The patterns of a .dockerignore: comments and blank lines gone, leading slashes too."""
    patterns = []
    for line in data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").split("\n"):
        text = line.removesuffix("\r")
        # Only a # in the first column starts a comment.
        if text.startswith("#") or not (text := text.strip()):
            continue
        negated = text.startswith("!")
        body = text[1:].strip() if negated else text
        if body:
            body = posixpath.normpath(body)
            body = body.lstrip("/") if len(body) > 1 else body
        patterns.append(("!" if negated else "") + body)
    return patterns


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _compile(text: str) -> Pattern:
    cleaned = posixpath.normpath(text)
    negated = cleaned.startswith("!")
    if negated:
        cleaned = cleaned[1:]
        if not cleaned:
            raise InvalidParameter('illegal exclusion pattern: "!"')
    return Pattern(cleaned, negated, re.compile(translate(cleaned), re.DOTALL))


def translate(pattern: str) -> str:
    """The pattern as a regular expression for whole paths. Raises InvalidParameter."""
    if pattern.startswith("**") and not _NOT_LITERAL.search(pattern, 2):
        # Docker reads `**` before plain text as "ends in": `**.py` matches a/b.py.
        rest = pattern[2:]
        return f"(?:.*/)?{re.escape(rest[1:])}" if rest.startswith("/") else f".*{re.escape(rest)}"
    out: list[str] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            if pattern.startswith("*", at):
                # `**/` may stand for no directory at all; `**` at the end, for anything.
                at += 1
                at += pattern.startswith("/", at)
                out.append(".*" if at == len(pattern) else "(?:.*/)?")
            else:
                out.append("[^/]*")
        elif character == "?":
            out.append("[^/]")
        elif character == "[":
            expression, at = _bracket(pattern, at)
            out.append(expression)
        elif character == "\\":
            if at == len(pattern):
                raise InvalidParameter(f"syntax error in pattern: {pattern}")
            out.append(re.escape(pattern[at]))
            at += 1
        else:
            out.append(re.escape(character))
    return "".join(out)


def _bracket(pattern: str, at: int) -> tuple[str, int]:
    """A character class from after its `[`. As in Docker, a negated one may match a slash."""
    negated = pattern.startswith("^", at)
    at += negated
    ranges: list[str] = []
    while not (pattern.startswith("]", at) and ranges):
        low, at = _class_character(pattern, at)
        high = low
        if pattern.startswith("-", at):
            high, at = _class_character(pattern, at + 1)
        if low > high:
            raise InvalidParameter(f"syntax error in pattern: {pattern}")
        ranges.append(f"{re.escape(low)}-{re.escape(high)}")
    return f"[{'^' if negated else ''}{''.join(ranges)}]", at + 1


def _class_character(pattern: str, at: int) -> tuple[str, int]:
    if pattern.startswith("\\", at):
        at += 1
    elif pattern[at : at + 1] in ("-", "]"):
        raise InvalidParameter(f"syntax error in pattern: {pattern}")
    if at >= len(pattern):
        raise InvalidParameter(f"syntax error in pattern: {pattern}")
    return pattern[at], at + 1
