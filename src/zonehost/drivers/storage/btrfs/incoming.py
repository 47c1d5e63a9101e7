"""Receiving: a job of the fork server that reads frames from a pipe or a connection and applies what is in them.

The data do not pass through the daemon. A thread reads frames and checks their checksums while those before are
applied. Where a stream is cut or a frame damaged, all before it is done and on the disk, and the job says where
that is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from zonehost.domain.frames import CUT, DATA_SIZE, HEADING_SIZE, Damaged, Kind, parse_heading
from zonehost.domain.sending import Position
from zonehost.drivers.storage.btrfs import shape
from zonehost.drivers.storage.btrfs.applier import Applier
from zonehost.errors import InvalidParameter
from zonehost.linux import btrfs
from zonehost.linux.ahead import ahead
from zonehost.linux.answering import answering
from zonehost.linux.blocking import read_into
from zonehost.linux.btrfs_stream import BadStream, CommandBuffer

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_AHEAD: Final = 2
"""Frames that wait to be applied."""


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
        intake.frame(Kind.DONE)
    except Damaged as error:
        return {"position": intake.position, "trouble": str(error)}
    return {"position": intake.position, "trouble": ""}


class _Frame(NamedTuple):
    kind: Kind
    body: memoryview


class _Intake:
    """The state of one stream."""

    def __init__(self, source: int, begin: Position) -> None:
        self._frames = ahead(_frames(source), _AHEAD)
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
            while (found := self.frame(Kind.DATA, Kind.END)).kind is Kind.DATA:
                commands.room(len(found.body))[:] = found.body
                for command in commands.commands(len(found.body)):
                    applier.apply(command)
                applier.flush()
            if not commands.ended or commands.rest:
                raise BadStream("it ends too early, or goes on behind its end")
            shape.check(root)
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

    def frame(self, *kinds: Kind) -> _Frame:
        """The next frame, which must be of one of these kinds."""
        found = next(self._frames, None)
        if found is None:
            raise Damaged(CUT)
        if found.kind not in kinds:
            raise Damaged(f"the stream is damaged: a frame {found.kind.value!r} is out of place")
        return found

    def _check_number(self, number: int) -> None:
        if bytes(self.frame(Kind.DATASET).body) != str(number).encode():
            raise BadStream("its datasets are out of order")


def _frames(source: int) -> Iterator[_Frame]:
    """The frames up to DONE, each with its right checksum. A body is there until the next frame is taken."""
    buffers = [memoryview(bytearray(DATA_SIZE)) for _ in range(_AHEAD + 2)]
    heading = memoryview(bytearray(HEADING_SIZE))
    kind = None
    number = 0
    while kind is not Kind.DONE:
        if not read_into(source, heading):
            raise Damaged(CUT)
        told = parse_heading(heading, Kind.DATASET, Kind.DATA, Kind.END, Kind.DONE)
        kind = told.kind
        body = buffers[number % len(buffers)][: told.size]
        number += 1
        if not read_into(source, body):
            raise Damaged(CUT)
        told.check(body)
        yield _Frame(kind, body)


receive = answering(_receive)
