"""Reading a log from its files: oldest first, from the tail, and on as it grows."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from zonehost.drivers.logs.changes import FileChanges
from zonehost.drivers.logs.k8s_file import Parser
from zonehost.ports.logs import LogLine

_BLOCK = 1 << 16
_SECOND = 1_000_000_000


def rotated(path: str, number: int) -> str:
    """The name of the log's n-th older file; 0 is the file that is written."""
    return f"{path}.{number}" if number else path


async def read(path: str, since: int, until: int, tail: int) -> AsyncIterator[list[LogLine]]:
    """The lines that are in the files now."""
    async for batch in _bounded(_existing(_open_all(path, tail)), since, until):
        yield batch


async def follow(
    path: str, since: int, until: int, tail: int, ended: Callable[[], Awaitable[None]], changes: FileChanges
) -> AsyncIterator[list[LogLine]]:
    """The lines that are there and those that come, until the zone has ended or `until` has passed."""
    end = asyncio.ensure_future(ended())
    try:
        async for batch in _bounded(_growing(path, tail, end, until, changes), since, until):
            yield batch
    finally:
        end.cancel()


async def _bounded(batches: AsyncIterator[list[LogLine]], since: int, until: int) -> AsyncIterator[list[LogLine]]:
    async for batch in batches:
        chosen = [line for line in batch if line.time >= since and not (until and line.time > until)]
        if chosen:
            yield chosen
        if until and batch and batch[-1].time > until:
            return


async def _existing(descriptors: list[int]) -> AsyncIterator[list[LogLine]]:
    try:
        for descriptor in descriptors:
            async for batch in _to_the_end(descriptor, Parser()):
                yield batch
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


async def _to_the_end(descriptor: int, parser: Parser) -> AsyncIterator[list[LogLine]]:
    while data := os.read(descriptor, _BLOCK):
        yield parser.feed(data)
        await asyncio.sleep(0)


async def _growing(
    path: str, tail: int, end: asyncio.Future[None], until: int, changes: FileChanges
) -> AsyncIterator[list[LogLine]]:
    *older, current = _open_all(path, tail) or [-1]
    async for batch in _existing(older):
        yield batch
    try:
        while True:
            async for batch in _until_replaced(path, current, end, until, changes):
                yield batch
            successor = _successor(path, current)
            if successor < 0:
                return
            if current >= 0:
                os.close(current)
            current = successor
    finally:
        if current >= 0:
            os.close(current)


async def _until_replaced(
    path: str, current: int, end: asyncio.Future[None], until: int, changes: FileChanges
) -> AsyncIterator[list[LogLine]]:
    """What is written to one file, until another has its name, or nothing more can come."""
    parser = Parser()
    # conmon closes the old file once it writes to the new one: watch the file that is open, not the name.
    watched = f"/proc/self/fd/{current}" if current >= 0 else os.path.dirname(path)
    while True:
        # Asked for before the file is read, so that no change between the two is missed.
        change = changes.next(watched)
        try:
            last, replaced = end.done(), _is_replaced(path, current)
            if current >= 0:
                async for batch in _to_the_end(current, parser):
                    yield batch
            if replaced or last or not await _either(change, end, until):
                return
        finally:
            change.cancel()


async def _either(change: asyncio.Future[None], end: asyncio.Future[None], until: int) -> bool:
    """Whether something came before the time was up."""
    left = max(0.0, until / _SECOND - time.time()) if until else None
    done, _ = await asyncio.wait((change, end), timeout=left, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)


def _open_all(path: str, tail: int) -> list[int]:
    """Descriptors of the log's files, oldest first, with `tail` lines left to read.

    The newest is opened first, so that a rotation meanwhile loses nothing.
    """
    descriptors: list[int] = []
    seen: set[int] = set()
    number = 0
    while True:
        try:
            descriptor = os.open(rotated(path, number), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            if number:
                _seek_tail(descriptors, tail)
                return descriptors[::-1]
        else:
            inode = os.fstat(descriptor).st_ino
            if inode in seen:
                os.close(descriptor)
            else:
                seen.add(inode)
                descriptors.append(descriptor)
        number += 1


def _is_replaced(path: str, current: int) -> bool:
    """Whether the name belongs to another file than the one being read."""
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return False
    return current < 0 or os.fstat(current).st_ino != status.st_ino


def _successor(path: str, current: int) -> int:
    """The file that has taken the place of the one being read, or -1."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC) if _is_replaced(path, current) else -1


def _seek_tail(descriptors: list[int], tail: int) -> None:
    """Set the positions of the files, newest first, so that `tail` lines are left to read; -1 leaves all."""
    if tail < 0:
        return
    wanted = tail
    for descriptor in descriptors:
        size = os.fstat(descriptor).st_size
        if wanted == 0:
            os.lseek(descriptor, size, os.SEEK_SET)
            continue
        position, left = _line_from_end(descriptor, size, wanted)
        os.lseek(descriptor, position, os.SEEK_SET)
        wanted = left


def _line_from_end(descriptor: int, size: int, wanted: int) -> tuple[int, int]:
    """Where the wanted-th line from the end begins, and how many lines are still wanted from older files."""
    at = size
    while at > 0:
        begin = max(0, at - _BLOCK)
        block = os.pread(descriptor, at - begin, begin)
        found = len(block)
        while (found := block.rfind(b"\n", 0, found)) >= 0:
            if begin + found == size - 1:
                continue  # the newline that ends the last line begins none
            wanted -= 1
            if wanted == 0:
                return begin + found + 1, 0
        at = begin
    return 0, max(0, wanted - 1) if size else wanted
