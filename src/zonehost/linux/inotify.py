"""inotify(7): being told of changes below a directory or to a file, without looking again and again."""

from __future__ import annotations

import asyncio
import errno
import os
import struct
from dataclasses import dataclass
from typing import Final

from zonehost.linux import libc

MODIFY: Final = 0x2
CLOSE_WRITE: Final = 0x8
MOVED_TO: Final = 0x80
CREATE: Final = 0x100
DELETE: Final = 0x200
DELETE_SELF: Final = 0x400
MOVE_SELF: Final = 0x800
IGNORED: Final = 0x8000
OVERFLOW: Final = 0x4000
ONLYDIR: Final = 0x01000000
DONT_FOLLOW: Final = 0x02000000
ONESHOT: Final = 0x80000000

_HEADER: Final = struct.Struct("iIII")


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to what `watch` watches; `name` is the entry of a watched directory, if it is one."""

    watch: int
    mask: int
    name: str


class Inotify:
    """One inotify instance, read from one event loop."""

    def __init__(self) -> None:
        self._descriptor = libc.call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)

    def add(self, path: str | os.PathLike[str], mask: int) -> int:
        """Watch the path; the number of the watch.

        Raises:
            OSError: there is no such path, or the user's limit of watches is reached.
        """
        return libc.call("inotify_add_watch", self._descriptor, os.fsencode(path), mask)

    def remove(self, watch: int) -> None:
        """Stop a watch. One that ended by itself (its file was removed, or it was ONESHOT) is no error."""
        try:
            libc.call("inotify_rm_watch", self._descriptor, watch)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise

    async def read(self) -> list[Event]:
        """The events that are there, waiting for the first."""
        while True:
            try:
                return _events(os.read(self._descriptor, 65536))
            except BlockingIOError:
                await self._readable()

    def close(self) -> None:
        """End all watches."""
        os.close(self._descriptor)

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self._descriptor, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._descriptor)


def _events(data: bytes) -> list[Event]:
    events, at = [], 0
    while at < len(data):
        watch, mask, _, length = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        events.append(Event(watch, mask, os.fsdecode(data[at : at + length].rstrip(b"\0"))))
        at += length
    return events
