"""The daemon's end of the supervisor: starts it when it is first needed, and another when it has died.

Holds every listener too, so that the next supervisor can have them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
import socket
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from zonehost.drivers.supervisor.process import command
from zonehost.drivers.supervisor.server import ORDER, STAYS
from zonehost.errors import SystemFailure
from zonehost.linux import ancillary
from zonehost.linux.dialling import dial
from zonehost.linux.vacate import vacate

_SECONDS: Final = 10.0
_APART: Final = 1.0
"""Seconds from one start to the next, should each supervisor die at once."""

log = logging.getLogger(__name__)


class Supervisor:
    """`ports.supervisor.Supervisor` of one instance, for the pool whose folder is open at `pool`.

    `path` is that of the socket where the supervisor hears daemons, also the next one.
    """

    def __init__(self, path: Path, pool: int) -> None:
        self._path = path
        self._pool = pool
        self._held: dict[int, int] = {}
        self._connection: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = 0.0
        self._one_by_one = asyncio.Lock()
        self._repair: asyncio.Task[None] | None = None

    async def watch(self, key: int, listener: int) -> None:
        """As in the port."""
        if key not in self._held:
            self._held[key] = os.dup(listener)
        async with self._one_by_one:
            if self._connection is None:
                await self._begin()
            else:
                await self._tell([key])

    async def begin(self) -> None:
        """As in the port."""
        async with self._one_by_one:
            if not self.alive():
                await self._begin()

    def forget(self, key: int) -> None:
        """As in the port."""
        held = self._held.pop(key, None)
        if held is not None:
            os.close(held)

    def alive(self) -> bool:
        """As in the port."""
        return self._connection is not None or not self._held

    async def close(self) -> None:
        """As in the port."""
        if self._repair is not None:
            self._repair.cancel()
        if self._connection is None:
            with suppress(OSError):  # there is none
                self._connection = dial(
                    str(self._path), _SECONDS
                )  # of an earlier daemon; it may have nothing to do any more
        else:
            asyncio.get_running_loop().remove_reader(self._connection)
        if self._connection is not None:
            await asyncio.to_thread(self._leave, self._connection)
        for key in list(self._held):
            self.forget(key)

    async def _begin(self) -> None:
        """Have a supervisor, and give it everything."""
        try:
            self._begun = time.monotonic()
            self._connection = await asyncio.to_thread(self._reach)
        except OSError as error:
            raise SystemFailure(f"no supervisor can be had: {error}") from error
        asyncio.get_running_loop().add_reader(self._connection, self._ended, self._connection)
        await self._tell(self._held)

    async def _tell(self, keys: Iterable[int]) -> None:
        assert self._connection is not None
        given = [(key, os.dup(self._held[key])) for key in keys if key in self._held]
        await asyncio.to_thread(_give, self._connection, given)

    def _ended(self, connection: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(connection)
        connection.close()
        self._connection = None
        if self._held:
            log.warning("the supervisor of zones with limits has ended; starting another")
            self._repair = asyncio.create_task(self._begin_again())

    async def _begin_again(self) -> None:
        await asyncio.sleep(self._begun + _APART - time.monotonic())
        try:
            await self.begin()
        except SystemFailure as error:
            log.error("%s", error)

    def _reach(self) -> socket.socket:
        try:
            return dial(str(self._path), _SECONDS)
        except (FileNotFoundError, ConnectionRefusedError):
            return self._spawn()

    def _spawn(self) -> socket.socket:
        self._bury()
        vacate(self._path)
        output = self._path.with_suffix(".log")
        if output.is_dir():
            vacate(output)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC) as control:
            control.bind(str(self._path))
            self._path.chmod(0o600)
            control.listen()
            connection = dial(str(self._path), _SECONDS)
            with output.open("ab") as told:
                self._process = subprocess.Popen(
                    command(str(self._path), control.fileno(), self._pool),
                    stdin=subprocess.DEVNULL,
                    stdout=told,
                    stderr=told,
                    cwd="/",
                    pass_fds=[control.fileno(), self._pool],
                    start_new_session=True,
                )
        return connection

    def _leave(self, connection: socket.socket) -> None:
        """Say that there is no more to come, and see the supervisor end, if it does."""
        with connection, suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
            said, ending = ancillary.receive(connection, len(STAYS), 1)
            if said == STAYS:
                return
            for process in ending:
                select.select([process], [], [], _SECONDS)
                os.close(process)
        self._bury()
        for path in (self._path, self._path.with_suffix(".log"), Path(f"{self._path}.calls")):
            vacate(path)

    def _bury(self) -> None:
        if self._process is not None:
            self._process.wait(_SECONDS)
            self._process = None


def _give(connection: socket.socket, listeners: list[tuple[int, int]]) -> None:
    """What a supervisor that has died does not hear is said again to the next: its end is seen."""
    for key, listener in listeners:
        with suppress(OSError):
            socket.send_fds(connection, [ORDER.pack(key)], [listener])
        os.close(listener)
