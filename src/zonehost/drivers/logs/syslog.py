"""Passing lines of a log file on to syslog, each once, also across restarts of the daemon."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from zonehost.domain.syslog import SyslogTarget, syslog_message
from zonehost.errors import Unavailable
from zonehost.ports.logs import LogLine
from zonehost.ports.streams import Stream

_KINDS: Final = {
    "unix": (socket.AF_UNIX, socket.SOCK_STREAM),
    "unixgram": (socket.AF_UNIX, socket.SOCK_DGRAM),
}
_RETRY: Final = 1.0
"""Seconds between two attempts to reach a receiver that went away."""


class SyslogLink:
    """A connection to a receiver."""

    def __init__(self, target: SyslogTarget) -> None:
        self._target = target
        self._socket: socket.socket | None = None

    async def open(self) -> None:
        """Connect.

        Raises:
            Unavailable: the receiver is not there.
        """
        target = self._target
        loop = asyncio.get_running_loop()
        try:
            if target.network in _KINDS:
                await self._connect(*_KINDS[target.network], target.address)
                return
            kind = socket.SOCK_DGRAM if target.network == "udp" else socket.SOCK_STREAM
            found = await loop.getaddrinfo(target.address, target.port, type=kind)
            await self._connect(found[0][0], kind, found[0][4])
        except OSError as error:
            where = target.address if not target.port else f"{target.address}:{target.port}"
            raise Unavailable(f"failed to initialize logging driver: dial {target.network} {where}: {error}") from error

    async def send(self, pid: int, lines: list[LogLine]) -> None:
        """Send the lines, connecting anew as often as it takes."""
        for line in lines:
            error = line.stream is Stream.STDERR
            message = syslog_message(self._target, pid, line.time, error=error, line=line.data)
            while not await self._sent(message):
                await asyncio.sleep(_RETRY)
                with suppress(Unavailable):
                    await self.open()

    def close(self) -> None:
        """Let go."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _connect(self, family: int, kind: int, address: object) -> None:
        self.close()
        connection = socket.socket(family, kind)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, address)  # type: ignore[arg-type]
        except BaseException:
            connection.close()
            raise
        self._socket = connection

    async def _sent(self, message: bytes) -> bool:
        if self._socket is None:
            return False
        try:
            await asyncio.get_running_loop().sock_sendall(self._socket, message)
        except OSError:
            self.close()
            return False
        return True


async def forward(link: SyslogLink, pid: int, lines: AsyncIterator[list[LogLine]], mark: Path) -> None:
    """Send every batch, and note after each how far it got: the time of the last line, in a file beside the log."""
    async for batch in lines:
        await link.send(pid, batch)
        with suppress(FileNotFoundError):  # the zone has just been removed
            mark.write_text(str(batch[-1].time))


def reached(mark: Path) -> int:
    """The time of the last line that was sent, 0 for none."""
    try:
        return int(mark.read_text())
    except (FileNotFoundError, ValueError):
        return 0
