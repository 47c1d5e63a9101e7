"""Chunked bodies that stay on their connection at first, so that a job can read them, without the daemon between.

The parser gets the head alone. Then either the body is released to it, or it is taken: for the parser it is empty from
then on, and the connection ends with the answer, since nobody can tell what the job has read of it.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from typing import Final

from zonehost.linux.arriving import Taken

_METHODS: Final = (b"POST ", b"PUT ")
_BLANK_LINE: Final = b"\r\n\r\n"
_CHUNKED: Final = re.compile(rb"\r\nTransfer-Encoding: *chunked *\r\n", re.IGNORECASE)
_UPGRADE: Final = re.compile(rb"\r\nUpgrade:", re.IGNORECASE)
_CLOSE: Final = b"\r\nConnection: close"
_NO_MORE: Final = b"0\r\n\r\n"


def split(data: bytes) -> tuple[bytes, bytes] | None:
    """A request's head and the beginning of its body, if that can be held: `data` is the first that came of it.

    The head says that the connection ends with the answer.
    """
    if not data.startswith(_METHODS) or (end := data.find(_BLANK_LINE)) < 0:
        return None
    head = data[:end]
    lines = head + _BLANK_LINE
    if _CHUNKED.search(lines) is None or _UPGRADE.search(lines) is not None:
        return None
    return head + _CLOSE + _BLANK_LINE, data[end + len(_BLANK_LINE) :]


class Held:
    """A body whose `beginning` has come, and whose rest waits in the socket. `parse` is the parser's entrance."""

    def __init__(self, transport: asyncio.Transport, parse: Callable[[bytes], None], beginning: bytes) -> None:
        self._transport = transport
        self._parse = parse
        self._beginning: bytes | None = beginning
        self.taken = False
        transport.pause_reading()

    def release(self) -> None:
        """Let the parser have it. Idempotent; nothing happens to one that was taken."""
        beginning, self._beginning = self._beginning, None
        if beginning is not None and not self._transport.is_closing():
            self._parse(beginning)
            self._transport.resume_reading()

    def take(self) -> Taken | None:
        """The connection for a job; None if it has been released or taken already, or the client is gone."""
        beginning, self._beginning = self._beginning, None
        if beginning is None or self._transport.is_closing():
            return None
        self.taken = True
        return Taken(os.dup(self._transport.get_extra_info("socket").fileno()), beginning)

    def finish(self) -> None:
        """The job has read all: from now on it is noticed again when the client goes."""
        if self.taken:
            self._parse(_NO_MORE)
            self.abandon()

    def abandon(self) -> None:
        """Read on, and drop what comes: a client that still sends would not see its answer otherwise. Idempotent."""
        if self.taken and not self._transport.is_closing():
            self._transport.resume_reading()
