"""Sending: a job of the fork server that writes frames of what the kernel sends to a pipe or a connection.

The data do not pass through the daemon. To continue, the kernel sends all again, and what the receiver has is dropped.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

import msgspec

from zonehost.domain.frames import DATA_SIZE, Kind, frame, heading
from zonehost.domain.sending import Position
from zonehost.errors import InvalidParameter
from zonehost.linux import btrfs
from zonehost.linux.answering import answering
from zonehost.linux.blocking import write_all
from zonehost.linux.btrfs_stream import CommandBuffer, Field
from zonehost.linux.btrfs_stream import Kind as Change

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_COMMAND_BYTES: Final = 60
"""About what a command of the stream takes beside data."""
_WRITE_BYTES: Final = 48 << 10
"""The data of one command (BTRFS_SEND_READ_SIZE)."""


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """Subvolumes, each with that which it is the difference from or an empty path; what is written before them."""

    subvolumes: tuple[tuple[str, str], ...]
    prologue: bytes = b""
    position: Position = Position()


def _send(arguments: Any, fds: list[int]) -> None:
    """Write the prologue, the datasets from the position on, and DONE."""
    order, output = msgspec.convert(arguments, Outgoing), fds[0]
    prologue = order.prologue
    for number, (place, base) in enumerate(order.subvolumes):
        if number < order.position.dataset:
            continue
        with _kernel_stream(place, base) as source:
            rest = b""
            if number == order.position.dataset and order.position.offset:
                rest = _skip(source, order.position)
            write_all(output, prologue, frame(Kind.DATASET, str(number).encode()))
            prologue = b""
            for at in range(0, len(rest), DATA_SIZE):
                write_all(output, frame(Kind.DATA, rest[at : at + DATA_SIZE]))
            buffer = memoryview(bytearray(DATA_SIZE))
            while size := os.readv(source, [buffer]):
                write_all(output, heading(Kind.DATA, buffer[:size]), buffer[:size])
        write_all(output, frame(Kind.END))
    write_all(output, prologue, frame(Kind.DONE))


def _skip(source: int, position: Position) -> bytes:
    """Drop the commands before the position; what was read beyond it.

    Raises:
        InvalidParameter: they are not those that the receiver had.
    """
    commands = CommandBuffer(DATA_SIZE)
    while size := os.readv(source, [commands.room(DATA_SIZE)]):
        with closing(commands.commands(size)) as found:
            for _ in found:
                if commands.offset == position.offset:
                    break
        if commands.offset >= position.offset:
            break
    if (commands.offset, commands.trail) != (position.offset, position.trail):
        raise InvalidParameter("the stream cannot be continued: the snapshot gives another one now; send it anew")
    return bytes(commands.rest)


def _measure(arguments: Any, _: list[int]) -> int:
    """About how many bytes the datasets give: of changed data, and of the commands."""
    total = 0
    for place, base in msgspec.convert(arguments, Outgoing).subvolumes:
        commands = CommandBuffer(DATA_SIZE)
        with _kernel_stream(place, base, data=False) as source:
            while size := os.readv(source, [commands.room(DATA_SIZE)]):
                for command in commands.commands(size):
                    if command.kind is Change.UPDATE_EXTENT:
                        changed = command.number(Field.SIZE)
                        total += changed + changed // _WRITE_BYTES * _COMMAND_BYTES
                    total += _COMMAND_BYTES
    return total


@contextmanager
def _kernel_stream(place: str, base: str, *, data: bool = True) -> Iterator[int]:
    """The reading end of what the kernel sends; it writes in a thread, since its call blocks."""
    source = os.open(place, _FOLDER)
    parent = 0
    if base:
        descriptor = os.open(base, _FOLDER)
        parent = btrfs.subvolume_info(descriptor).id
        os.close(descriptor)
    reader, writer = os.pipe2(os.O_CLOEXEC)
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, DATA_SIZE)
    failed: list[OSError] = []

    def fill() -> None:
        try:
            btrfs.send(source, writer, parent=parent, data=data)
        except OSError as error:
            failed.append(error)
        finally:
            os.close(writer)

    thread = threading.Thread(target=fill, daemon=True)
    thread.start()
    try:
        yield reader
        thread.join()
        if failed:
            raise failed[0]
    finally:
        os.close(reader)
        os.close(source)


send = answering(_send)
measure = answering(_measure)
