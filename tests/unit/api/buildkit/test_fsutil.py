"""Trees as packets: both directions against each other, and the receiver against packets written by hand."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator

import pytest

from tests.unit.api.buildkit.wires import calling
from zonehost.api.buildkit import fsutil
from zonehost.api.buildkit.fsutil import DATA, ERROR, FINISH, REQUEST, STAT, member_of, stat_of
from zonehost.api.buildkit.grpc import ServedCall
from zonehost.api.buildkit.messages import Packet, Stat
from zonehost.errors import InvalidParameter
from zonehost.tar import block, entry, writer
from zonehost.tar.entry import Entry

BIG = bytes(range(256)) * 20000
TREE: list[tuple[Entry, bytes]] = [
    (Entry(name=b"a", kind=entry.DIRECTORY, mode=0o1777, mtime=5), b""),
    (Entry(name=b"a/" + b"long" * 40, mode=0o4755, uid=7, gid=8, size=3, mtime=1_000_000_123), b"abc"),
    (Entry(name=b"a/empty"), b""),
    (Entry(name=b"a/link", kind=entry.SYMLINK, mode=0o777, link=b"../b"), b""),
    (Entry(name=b"a/same", kind=entry.HARD_LINK, link=b"a/empty"), b""),
    (Entry(name=b"big", size=len(BIG), xattrs={b"user.x": b"\0\1"}), BIG),
    (Entry(name=b"dev", kind=entry.CHARACTER, device=(1, 3)), b""),
    (Entry(name=b"fifo", kind=entry.FIFO), b""),
    (Entry(name=b"z\xff", size=1), b"z"),
]


def archive(tree: list[tuple[Entry, bytes]]) -> bytes:
    parts = [part for m, data in tree for part in (writer.header(m), data, bytes(block.padding(m.size)))]
    return b"".join(parts) + writer.END


async def in_pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def received(sender: object) -> bytes:
    async with calling({"/send": sender}) as (caller, _):  # type: ignore[dict-item]
        call = await caller.open("/send")
        data = b"".join([piece async for piece in fsutil.receive(call)])
        await call.finished()
        return data


@pytest.mark.parametrize("size", [100, 4096, 1 << 20])
async def test_a_tree_comes_back(size: int) -> None:
    async def sender(call: ServedCall) -> None:
        await send_as_clients_do(call, TREE, size)

    assert await received(sender) == archive(TREE)


async def send_as_clients_do(call: ServedCall, tree: list[tuple[Entry, bytes]], size: int) -> None:
    """All files are told at once; then content is sent as it is asked for."""
    for member, _ in tree:
        await call.send(Packet(type=STAT, stat=stat_of(member, member.name)))
    await call.send(Packet(type=STAT))
    while (packet := await call.receive(Packet)) is not None and packet.type == REQUEST:
        data = tree[packet.id][1]
        assert data, "what is empty need not be asked for"
        async for piece in in_pieces(data, size):
            await call.send(Packet(type=DATA, id=packet.id, data=piece))
        await call.send(Packet(type=DATA, id=packet.id))
    assert packet is not None
    assert packet.type == FINISH
    await call.send(Packet(type=FINISH))


async def test_content_that_comes_in_another_order() -> None:
    async def sender(call: ServedCall) -> None:
        for name in "abc":
            await call.send(Packet(type=STAT, stat=Stat(path=name, size=2)))
        await call.send(Packet(type=STAT))
        asked = [await call.receive(Packet) for _ in range(3)]
        assert [packet.id for packet in asked if packet is not None] == [0, 1, 2]
        for number in (2, 0, 1, 2, 1, 0):
            await call.send(Packet(type=DATA, id=number, data=b"%d" % number))
        for number in (1, 2, 0):
            await call.send(Packet(type=DATA, id=number))
        await call.receive(Packet)
        await call.send(Packet(type=FINISH))

    with tarfile.open(fileobj=io.BytesIO(await received(sender))) as found:
        read = {m.name: found.extractfile(m).read() for m in found}  # type: ignore[union-attr]
    assert read == {"a": b"00", "b": b"11", "c": b"22"}


@pytest.mark.parametrize("data", [b"", b"a", b"abc"])
async def test_a_file_that_changes_while_it_is_sent_is_an_error(data: bytes) -> None:
    async def sender(call: ServedCall) -> None:
        await call.send(Packet(type=STAT, stat=Stat(path="f", size=2)), Packet(type=STAT))
        await call.receive(Packet)
        if data:
            await call.send(Packet(type=DATA, data=data))
        await call.send(Packet(type=DATA))
        await call.receive(Packet)

    with pytest.raises(InvalidParameter, match=r"^f .*changed while it was sent"):
        await received(sender)


async def test_a_client_that_fails_or_ends_early_is_an_error() -> None:
    async def failing(call: ServedCall) -> None:
        await call.send(Packet(type=ERROR, data=b"no such folder"))

    async def ending(call: ServedCall) -> None:
        await call.send(Packet(type=STAT, stat=Stat(path="f", size=2)))

    with pytest.raises(InvalidParameter, match="the client failed: no such folder"):
        await received(failing)
    with pytest.raises(InvalidParameter, match="ended before it had sent all"):
        await received(ending)


async def test_a_tree_is_given_to_a_client() -> None:
    found: list[tuple[Stat, bytes]] = []

    async def taker(call: ServedCall) -> None:
        while (packet := await call.one(Packet)).stat is not None:
            data = b""
            if not packet.stat.mode >> 20 and not packet.stat.linkname:
                await call.send(Packet(type=REQUEST, id=len(found)))
                while piece := (await call.one(Packet)).data:
                    data += piece
            found.append((packet.stat, data))
        await call.send(Packet(type=FINISH))
        assert (await call.one(Packet)).type == FINISH

    tree = [pair for pair in TREE if not pair[0].mode & 0o7000]
    async with calling({"/take": taker}) as (caller, _):
        call = await caller.open("/take")
        await fsutil.send(call, in_pieces(archive([(Entry(name=b"./", kind=entry.DIRECTORY), b""), *tree]), 1000))
        await call.end()
        await call.finished()
    assert [(member_of(stat), data) for stat, data in found] == tree


@pytest.mark.parametrize(
    ("mode", "kind", "bits"),
    [
        (0o644, entry.REGULAR, 0o644),
        (1 << 31 | 0o755, entry.DIRECTORY, 0o755),
        (1 << 31 | 1 << 20 | 0o777, entry.DIRECTORY, 0o1777),
        (1 << 27 | 0o777, entry.SYMLINK, 0o777),
        (1 << 26 | 0o660, entry.BLOCK_DEVICE, 0o660),
        (1 << 26 | 1 << 21 | 0o660, entry.CHARACTER, 0o660),
        (1 << 25 | 0o600, entry.FIFO, 0o600),
        (1 << 23 | 1 << 22 | 0o755, entry.REGULAR, 0o6755),
    ],
)
def test_modes_are_those_of_go(mode: int, kind: bytes, bits: int) -> None:
    member = member_of(Stat(path="f", mode=mode))
    assert member is not None
    assert (member.kind, member.mode) == (kind, bits)
    assert stat_of(member, b"f").mode == mode


def test_sockets_are_left_out() -> None:
    assert member_of(Stat(path="s", mode=1 << 24 | 0o777)) is None
