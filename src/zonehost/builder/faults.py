"""How a Dockerfile's mistakes are told: the line, the text, a caret. Refuses to know what is a mistake."""

from __future__ import annotations

from zonehost.ports.builder import BuildFault


class DockerfileError(BuildFault):
    """A mistake in a Dockerfile; the message names the line and points at the place.

    `line` counts from 1; `column` counts characters from 0. The first sentence is Docker's
    (`dockerfile parse error on line N: …`), so that scripts which look for it find it.
    """

    def __init__(self, reason: str, line: int, column: int = 0, source: str = "") -> None:
        self.column = column
        told = f"dockerfile parse error on line {line}: {reason}"
        super().__init__(told + "\n" + excerpt(source, line, column) if source else told, told, line)


class SyntaxFault(Exception):
    """A mistake in one statement, before anyone knows where the statement stands.

    `offset` counts characters into the text that was being read, where that is known.
    """

    def __init__(self, reason: str, offset: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.offset = offset


def excerpt(source: str, line: int, column: int, context: int = 1) -> str:
    """The lines around `line`, numbered, with a caret below `column`."""
    lines = source.splitlines() or [""]
    index = min(max(line, 1), len(lines)) - 1
    width = len(str(min(index + 1 + context, len(lines))))
    shown = []
    for number in range(max(index - context, 0), min(index + context + 1, len(lines))):
        shown.append(f" {number + 1:>{width}} | {lines[number]}")
        if number == index:
            # Tabs before the caret are kept, so that it stands under its character in any terminal.
            pad = "".join(character if character == "\t" else " " for character in lines[number][:column])
            shown.append(f" {'':>{width}} | {pad}^")
    return "\n".join(shown)
