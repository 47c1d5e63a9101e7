"""From the text of a Dockerfile to its statements: directives, comments, continuation lines, here-documents.

Source: Docker's Dockerfile reference, "Format", "Parser directives", "Here-Documents". Knows which instructions
may carry here-documents, and nothing else of what instructions mean.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass

from zonehost.builder.faults import DockerfileError, SyntaxFault
from zonehost.builder.forms import json_list, split_instruction
from zonehost.builder.words import WHITE_SPACE, Style, expand
from zonehost.errors import InvalidParameter

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$")
_DIRECTIVES = frozenset({"syntax", "escape", "check"})
_HEREDOC = re.compile(r"(\d*)<<(-?)([^<]+)")
_MAY_HOLD_HEREDOCS = frozenset({"ADD", "COPY", "RUN"})
_SPACES = "".join(WHITE_SPACE)


@dataclass(frozen=True, slots=True)
class Heredoc:
    """One here-document: `expand` is false when its name was quoted."""

    name: str
    content: str
    expand: bool
    chomp: bool

    @property
    def text(self) -> str:
        """The content as a file gets it: without leading tabs where `<<-` asked for that."""
        return re.sub(r"^\t+", "", self.content, flags=re.MULTILINE) if self.chomp else self.content


@dataclass(frozen=True, slots=True)
class Statement:
    """One logical line. `origins` maps offsets of `text` to (offset, line from 1, column from 0), in order."""

    text: str
    origins: tuple[tuple[int, int, int], ...]
    last_line: int
    heredocs: tuple[Heredoc, ...] = ()
    comments: tuple[str, ...] = ()

    @property
    def line(self) -> int:
        return self.origins[0][1]

    def locate(self, offset: int) -> tuple[int, int]:
        """The line and column in the file of a character of `text`."""
        index = bisect.bisect_right(self.origins, offset, key=lambda origin: origin[0]) - 1
        start, line, column = self.origins[max(index, 0)]
        return line, column + offset - start

    def fault(self, reason: str, offset: int | None, source: str) -> DockerfileError:
        """The error for a mistake in this statement."""
        line, column = self.locate(offset or 0)
        return DockerfileError(reason, line, column, source)


@dataclass(frozen=True, slots=True)
class SourceText:
    """A Dockerfile as statements, with the character that escapes in it."""

    text: str
    escape: str
    statements: tuple[Statement, ...]
    directives: dict[str, str]


def read_source(data: bytes) -> SourceText:
    """Split a Dockerfile into statements. Raises InvalidParameter (DockerfileError where a line is to blame)."""
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        raise DockerfileError("the file is not UTF-8", data.count(b"\n", 0, error.start) + 1) from error
    directives = _read_directives(text)
    escape = directives.get("escape", "\\")
    statements = tuple(_Splitter(text, escape).statements())
    if not statements:
        raise InvalidParameter("file with no instructions")
    return SourceText(text, escape, statements, directives)


def find_heredocs(line: str) -> list[Heredoc]:
    """The here-documents that a statement announces, their content still empty."""
    words = expand(line, {}, Style(raw_quotes=True, raw_escapes=True, keep_unset=True)).words
    return [found for word in words if (found := parse_heredoc(word))]


def parse_heredoc(word: str) -> Heredoc | None:
    """`<<NAME`, `<<-NAME`, `<<"NAME"`: as a here-document without content; None where the word is none."""
    match = _HEREDOC.fullmatch(word)
    if not match:
        return None
    plain = expand(match[3], {}, Style(keep_unset=True)).words
    if len(plain) != 1:
        return None
    raw = expand(match[3], {}, Style(raw_quotes=True, raw_escapes=True, keep_unset=True)).words
    return Heredoc(name=plain[0], content="", expand=plain == raw, chomp=bool(match[2]))


def _read_directives(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if number == 1 and line.startswith("#!"):
            continue
        match = _DIRECTIVE.match(line.lstrip(_SPACES))
        if not match or (key := match[1].lower()) not in _DIRECTIVES:
            break
        if key in found:
            raise DockerfileError(f"only one {key} parser directive can be used", number, 0, text)
        if key == "escape" and match[2] not in ("`", "\\"):
            reason = f"invalid escape token '{match[2]}' does not match ` or \\"
            raise DockerfileError(reason, number, line.rindex(match[2]), text)
        found[key] = match[2]
    return found


class _Splitter:
    def __init__(self, text: str, escape: str) -> None:
        self.text = text
        # Not splitlines(): only a newline ends a line of a Dockerfile.
        self.lines = text.split("\n")
        if self.lines[-1] == "":
            self.lines.pop()
        self.number = 0
        mark = re.escape(escape)
        # An escaped escape at the end of a line does not continue it.
        self.continuation = re.compile(rf"(?:(?<=[^{mark}])|^){mark}[ \t]*$")

    def statements(self) -> list[Statement]:
        found: list[Statement] = []
        comments: list[str] = []
        while self.number < len(self.lines):
            line = self._take()
            stripped = line.lstrip(_SPACES)
            if stripped.startswith("#"):
                comment = stripped[1:].strip()
                if comment:
                    comments.append(comment)
                else:
                    comments = []
            elif stripped:
                statement = self._statement(line, stripped, tuple(comments))
                if statement:
                    found.append(statement)
                comments = []
        return found

    def _take(self) -> str:
        line = self.lines[self.number]
        self.number += 1
        return line.removesuffix("\r")

    def _statement(self, line: str, stripped: str, comments: tuple[str, ...]) -> Statement | None:
        first = self.number
        body, ended = self._trim(stripped)
        origins = [(0, first, len(line) - len(stripped))]
        parts = [body]
        length = len(body)
        while not ended and self.number < len(self.lines):
            line = self._take()
            stripped = line.strip(_SPACES)
            if not stripped or stripped.startswith("#"):
                continue
            body, ended = self._trim(line)
            origins.append((length, self.number, 0))
            parts.append(body)
            length += len(body)
        text = "".join(parts)
        if not text.strip(_SPACES):
            return None
        statement = Statement(text, tuple(origins), self.number, (), comments)
        heredocs = tuple(self._heredocs(statement))
        return Statement(text, statement.origins, self.number, heredocs, comments) if heredocs else statement

    def _trim(self, line: str) -> tuple[str, bool]:
        match = self.continuation.search(line)
        return (line[: match.start()], False) if match else (line, True)

    def _heredocs(self, statement: Statement) -> list[Heredoc]:
        if "<<" not in statement.text:
            return []
        name, _, rest, _ = split_instruction(statement.text)
        if name == "ONBUILD":
            name, _, rest, _ = split_instruction(rest)
        try:
            if name not in _MAY_HOLD_HEREDOCS or json_list(rest) is not None:
                return []
            announced = find_heredocs(rest)
        except SyntaxFault:
            # A RUN line may hold what only its shell can read, such as a lone quote.
            return []
        return [self._heredoc(statement, document) for document in announced]

    def _heredoc(self, statement: Statement, announced: Heredoc) -> Heredoc:
        content: list[str] = []
        while self.number < len(self.lines):
            line = self.lines[self.number]
            self.number += 1
            end = line.removesuffix("\r")
            if (end.lstrip("\t") if announced.chomp else end) == announced.name:
                return Heredoc(announced.name, "".join(content), announced.expand, announced.chomp)
            content.append(line + "\n")
        offset = max(statement.text.find("<<"), 0)
        raise statement.fault(f"unterminated heredoc {announced.name}", offset, self.text)
