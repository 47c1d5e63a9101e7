"""Receiving: a job of the fork server that reads frames from a pipe or a connection and applies what is in them.

The data do not pass through the daemon. A frame is applied when its checksum was right; where a stream is cut or a
frame damaged, all before it is done and on the disk, and the job says where that is.
"""

from __future__ import annotations

import os
from typing import Any, Final

import msgspec

from zonehost.domain.frames import CUT, DATA_SIZE, HEADING_SIZE, Damaged, Heading, Kind, parse_heading
from zonehost.domain.sending import Position
from zonehost.drivers.storage.btrfs.applier import Applier
from zonehost.errors import InvalidParameter
from zonehost.linux import btrfs
from zonehost.linux.answering import answering
from zonehost.linux.blocking import read_into
from zonehost.linux.btrfs_stream import BadStream, CommandBuffer

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """The subvolumes that are written to, in the order of the stream; and where it begins."""

    places: tuple[str, ...]
    position: Position = Position()


def _receive(arguments: Any, fds: list[int]) -> dict[str, Any]:
    """Apply all datasets up to DONE, and close each to writes: how far it came, and what was wrong."""
    order = msgspec.convert(arguments, Incoming)
    os.umask(0)
    intake = _Intake(fds[0], order.position)
    try:
        for number in range(order.position.dataset, len(order.places)):
            intake.dataset(number, order.places[number])
        intake.heading(Kind.DONE)
    except Damaged as error:
        return {"position": intake.position, "trouble": str(error)}
    return {"position": intake.position, "trouble": ""}


class _Intake:
    """The state of one stream."""

    def __init__(self, source: int, begin: Position) -> None:
        self._source = source
        self.position = begin

    def dataset(self, number: int, place: str) -> None:
        """Apply the number-th. Raises Damaged with the position at the last command that was done."""
        if self.position.dataset != number:
            self.position = Position(number)
        root = os.open(place, _FOLDER)
        applier = Applier(root)
        commands = CommandBuffer(DATA_SIZE, self.position.offset, self.position.trail)
        try:
            self._check_number(number)
            while (heading := self.heading(Kind.DATA, Kind.END)).kind is Kind.DATA:
                room = commands.room(heading.size)
                self._fill(heading, room)
                for command in commands.commands(heading.size):
                    applier.apply(command)
                applier.flush()
            if not commands.ended or commands.rest:
                raise BadStream("it ends too early, or goes on behind its end")
        except BadStream as error:
            raise InvalidParameter(f"the stream is damaged: {error}") from error
        except Damaged:
            btrfs.sync(root)
            raise
        finally:
            self.position = Position(number, commands.offset, commands.trail)
            applier.close()
        btrfs.sync(root)
        btrfs.set_readonly(root, True)
        os.close(root)
        self.position = Position(number + 1)

    def heading(self, *kinds: Kind) -> Heading:
        """The heading of the next frame."""
        room = memoryview(bytearray(HEADING_SIZE))
        if not read_into(self._source, room):
            raise Damaged(CUT)
        heading = parse_heading(room, *kinds)
        if heading.kind in (Kind.END, Kind.DONE):
            self._fill(heading, memoryview(bytearray(heading.size)))
        return heading

    def _fill(self, heading: Heading, room: memoryview) -> None:
        if not read_into(self._source, room):
            raise Damaged(CUT)
        heading.check(room)

    def _check_number(self, number: int) -> None:
        heading = self.heading(Kind.DATASET)
        room = memoryview(bytearray(heading.size))
        self._fill(heading, room)
        if bytes(room) != str(number).encode():
            raise BadStream("its datasets are out of order")


receive = answering(_receive)
