"""The line format that conmon writes (its log driver k8s-file, the CRI logging format).

`2026-11-23T14:45:09.123456789+00:00 stdout F text` and a newline. F is a full line; P is a part of one, without the
newline of its own, so that any bytes can be kept and given back exactly.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from zonehost.ports.logs import LogLine
from zonehost.ports.streams import Stream

_STREAMS: Final = {b"stdout": Stream.STDOUT, b"stderr": Stream.STDERR}
_SECOND: Final = len(b"2026-11-23T14:45:09")


class Parser:
    """Turns bytes of a log file into lines; keeps what is incomplete for the next call."""

    def __init__(self) -> None:
        self._rest = b""
        self._prefix = b""
        self._seconds = 0

    def feed(self, data: bytes) -> list[LogLine]:
        """The lines that end within the data. A line that is not of this format (a torn write) is left out."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [line for raw in whole if (line := self._line(raw)) is not None]

    def _line(self, raw: bytes) -> LogLine | None:
        parts = raw.split(b" ", 3)
        if len(parts) != 4 or parts[2] not in (b"F", b"P"):
            return None
        stream, time = _STREAMS.get(parts[1]), self._time(parts[0])
        if stream is None or time is None:
            return None
        return LogLine(time, stream, parts[3] + b"\n" if parts[2] == b"F" else parts[3])

    def _time(self, text: bytes) -> int | None:
        fraction, zone = text[_SECOND + 1 : _SECOND + 10], text[_SECOND + 10 :]
        prefix = text[:_SECOND] + zone
        if prefix != self._prefix:
            try:
                self._seconds = int(datetime.fromisoformat(prefix.decode()).timestamp())
            except ValueError:
                return None
            self._prefix = prefix
        return self._seconds * 1_000_000_000 + int(fraction) if fraction.isdigit() else None
