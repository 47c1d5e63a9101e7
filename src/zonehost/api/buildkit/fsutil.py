"""fsutil's protocol: a tree of files, sent over a stream of packets; here trees are archives.

The sender tells all files in the order of their paths, an empty packet after the last. The receiver asks for the
content of the files that it wants by their numbers in that order, gets it in pieces, an empty one after the last, and
says when it has all (fsutil, receive.go). Knows nothing of what the files are for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from zonehost.api.buildkit.grpc import Messages
from zonehost.api.buildkit.members import members
from zonehost.api.buildkit.messages import Packet, Stat
from zonehost.errors import InvalidParameter
from zonehost.tar import block, entry, writer
from zonehost.tar.entry import Entry

STAT, REQUEST, DATA, FINISH, ERROR = range(5)

_AHEAD: Final = 4 << 20
"""Bytes of files that are asked for and have not come; one file may be larger."""
_FILES_AHEAD: Final = 100
_PIECE: Final = 1 << 18
_CHUNK: Final = 1 << 17
_TURN: Final = 64
"""After so many packets others have their turn."""

# Bits of Go's io/fs.FileMode beyond the permissions.
_DIRECTORY, _SYMLINK, _DEVICE, _FIFO, _SOCKET = 1 << 31, 1 << 27, 1 << 26, 1 << 25, 1 << 24
_SET_UID, _SET_GID, _CHARACTER, _STICKY = 1 << 23, 1 << 22, 1 << 21, 1 << 20
_SPECIAL: Final = ((_SET_UID, 0o4000), (_SET_GID, 0o2000), (_STICKY, 0o1000))
_KINDS: Final = (
    (_DIRECTORY, entry.DIRECTORY),
    (_SYMLINK, entry.SYMLINK),
    (_DEVICE | _CHARACTER, entry.CHARACTER),
    (_DEVICE, entry.BLOCK_DEVICE),
    (_FIFO, entry.FIFO),
)


@dataclass(slots=True)
class _File:
    """A file that was told: its number, and what has come of its content."""

    number: int
    member: Entry
    pieces: deque[bytes] = field(default_factory=deque)
    come: int = 0
    ended: bool = False


async def receive(call: Messages) -> AsyncIterator[bytes]:
    """The archive of the tree that the other side sends. Sockets are left out.

    Raises:
        InvalidParameter: a file changed while it was sent, or the other side failed. StreamLost: it is gone.
    """
    receiver = _Receiver(call)
    out = bytearray()
    async for piece in receiver.pieces():
        out += piece
        if len(out) >= _PIECE:
            yield bytes(out)
            out.clear()
    yield bytes(out) + writer.END
    await call.send(Packet(type=FINISH))
    while (packet := await call.receive(Packet)) is not None and packet.type != FINISH:
        _check(packet)


class _Receiver:
    def __init__(self, call: Messages) -> None:
        self._call = call
        self._told = 0
        self._all_told = False
        self._order: deque[_File] = deque()
        self._unasked: deque[_File] = deque()
        self._asked: dict[int, _File] = {}
        self._ahead = 0

    async def pieces(self) -> AsyncIterator[bytes]:
        """The archive in pieces, without its end."""
        turns = 0
        while self._order or not self._all_told:
            while self._order and (not self._order[0].member.size or self._order[0].number in self._asked):
                file = self._order.popleft()
                yield writer.header(file.member)
                async for piece in self._content(file):
                    yield piece
                yield bytes(block.padding(file.member.size))
            if self._order or not self._all_told:
                await self._next()
            turns += 1
            if turns % _TURN == 0:
                await asyncio.sleep(0)

    async def _content(self, file: _File) -> AsyncIterator[bytes]:
        if not file.member.size:
            return
        while not file.ended or file.pieces:
            while file.pieces:
                yield file.pieces.popleft()
            if not file.ended:
                await self._next()
        del self._asked[file.number]
        if file.come != file.member.size:
            name = entry.shown(file.member.name)
            raise InvalidParameter(f"{name} could not be read, or changed while it was sent")

    async def _next(self) -> None:
        await self._ask()
        packet = await self._call.receive(Packet)
        if packet is None:
            raise InvalidParameter("the client ended before it had sent all files")
        _check(packet)
        if packet.type == STAT and packet.stat is None:
            self._all_told = True
        elif packet.type == STAT and packet.stat is not None:
            self._tell(packet.stat)
        elif packet.type == DATA and packet.id in self._asked:
            self._take(self._asked[packet.id], packet.data)

    def _tell(self, stat: Stat) -> None:
        number, self._told = self._told, self._told + 1
        member = member_of(stat)
        if member is not None:
            file = _File(number, member)
            self._order.append(file)
            if member.size:
                self._unasked.append(file)

    def _take(self, file: _File, data: bytes) -> None:
        if not data:
            file.ended = True
            self._ahead -= file.member.size
            return
        file.come += len(data)
        if file.come > file.member.size:
            raise InvalidParameter(f"{entry.shown(file.member.name)} changed while it was sent")
        file.pieces.append(data)

    async def _ask(self) -> None:
        """Ask for files, as many as there is room for."""
        requests = []
        while self._unasked and len(self._asked) < _FILES_AHEAD:
            if self._ahead and self._ahead + self._unasked[0].member.size > _AHEAD:
                break
            file = self._unasked.popleft()
            self._asked[file.number] = file
            self._ahead += file.member.size
            requests.append(Packet(type=REQUEST, id=file.number))
        if requests:
            await self._call.send(*requests)


async def send(call: Messages, archive: AsyncIterator[bytes]) -> None:
    """Send a tree, given as an archive that is sorted by path. Every file is waited for until it was taken.

    Raises:
        InvalidParameter: the other side failed. StreamLost: it is gone.
    """
    number = 0
    async for member, content in members(archive):
        name = entry.relative(member.name)
        if not name:
            continue
        await call.send(Packet(type=STAT, stat=stat_of(member, name)))
        if member.kind == entry.REGULAR:
            await _expect(call, REQUEST)
            async for piece in content:
                for start in range(0, len(piece), _CHUNK):
                    await call.send(Packet(type=DATA, id=number, data=piece[start : start + _CHUNK]))
            await call.send(Packet(type=DATA, id=number))
        number += 1
    await call.send(Packet(type=STAT))
    await _expect(call, FINISH)
    await call.send(Packet(type=FINISH))


def member_of(stat: Stat) -> Entry | None:
    """A file that was told, as a member of an archive; None for a socket."""
    name = stat.path.encode("utf-8", "surrogateescape")
    if stat.mode & _SOCKET:
        return None
    kind = next((kind for bits, kind in _KINDS if stat.mode & bits == bits), entry.REGULAR)
    if kind == entry.REGULAR and stat.linkname:
        kind = entry.HARD_LINK
    return Entry(
        name=name,
        kind=kind,
        mode=stat.mode & 0o777 | sum(bit for mark, bit in _SPECIAL if stat.mode & mark),
        uid=stat.uid,
        gid=stat.gid,
        size=stat.size if kind == entry.REGULAR else 0,
        mtime=stat.mod_time,
        link=stat.linkname.encode("utf-8", "surrogateescape"),
        device=(stat.devmajor, stat.devminor),
        xattrs={name.encode(): value for name, value in stat.xattrs.items()},
    )


def stat_of(member: Entry, name: bytes) -> Stat:
    """A member of an archive as it is told."""
    bits = next((bits for bits, kind in _KINDS if kind == member.kind), 0)
    link = entry.relative(member.link) if member.kind == entry.HARD_LINK else member.link
    return Stat(
        path=name.decode("utf-8", "surrogateescape"),
        mode=bits | member.mode & 0o777 | sum(mark for mark, bit in _SPECIAL if member.mode & bit),
        uid=member.uid,
        gid=member.gid,
        size=member.size,
        mod_time=member.mtime,
        linkname=link.decode("utf-8", "surrogateescape"),
        devmajor=member.device[0],
        devminor=member.device[1],
        xattrs={name.decode(): value for name, value in member.xattrs.items()},
    )


async def _expect(call: Messages, kind: int) -> None:
    packet = await call.receive(Packet)
    if packet is None:
        raise InvalidParameter("the client ended before it had taken all files")
    _check(packet)
    if packet.type != kind:
        raise InvalidParameter(f"the client sent a packet of kind {packet.type}, not {kind}")


def _check(packet: Packet) -> None:
    if packet.type == ERROR:
        raise InvalidParameter(f"the client failed: {packet.data.decode('utf-8', 'replace')}")
