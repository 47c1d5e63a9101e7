"""Send streams that were made by hand to reach outside of what they are received into, or that are broken."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zonehost.drivers.storage.btrfs.applier import Applier
from zonehost.linux.btrfs_stream import MAGIC, BadStream, Command, CommandBuffer, Field, Kind

END = struct.pack("<IHI", 0, Kind.END, 0)


def stream(kind: Kind, **fields: bytes | int) -> bytes:
    """A stream of one command."""
    return whole(command(kind, **fields))


def whole(*made: bytes) -> bytes:
    """A stream of these commands."""
    return MAGIC + struct.pack("<I", 1) + b"".join(made) + END


def command(kind: Kind, **fields: bytes | int) -> bytes:
    """One command."""
    body = b""
    for name, value in fields.items():
        data = struct.pack("<Q", value) if isinstance(value, int) else value
        body += struct.pack("<HH", Field[name.upper()], len(data)) + data
    return struct.pack("<IHI", len(body), kind, 0) + body


def commands(pieces: Iterable[bytes]) -> Iterator[Command]:
    """The commands of a stream that comes in pieces; each is there until the next."""
    buffer = CommandBuffer(1 << 20)
    for piece in pieces:
        buffer.room(len(piece))[:] = piece
        yield from buffer.commands(len(piece))
    if not buffer.ended:
        raise BadStream("it ends too early")


HOSTILE = (
    stream(Kind.WRITE, path=b"../outside", file_offset=0, data=b"x"),
    stream(Kind.WRITE, path=b"out/outside", file_offset=0, data=b"x"),
    stream(Kind.WRITE, path=b"file", file_offset=0, data=b"x"),
    stream(Kind.TRUNCATE, path=b"/outside", size=0),
    stream(Kind.MKFILE, path=b"../made"),
    stream(Kind.MKFILE, path=b"out/made"),
    stream(Kind.MKDIR, path=b".."),
    stream(Kind.RENAME, path=b"inside", path_to=b"../made"),
    stream(Kind.LINK, path=b"hard", path_link=b"out/outside"),
    stream(Kind.UNLINK, path=b"out/outside"),
    stream(Kind.CHMOD, path=b"../outside", mode=0),
    stream(Kind.CHOWN, path=b"out/outside", uid=1, gid=1),
    stream(Kind.CLONE, path=b"inside", file_offset=0, clone_path=b"../outside", clone_offset=0, clone_length=1),
)


@pytest.mark.parametrize("data", HOSTILE)
def test_nothing_outside_is_reached(tmp_path: Path, data: bytes) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.write_text("untouched")
    root.mkdir()
    (root / "inside").write_text("")
    (root / "out").symlink_to("..")
    (root / "file").symlink_to("../outside")
    before = outside.stat()
    descriptor = os.open(root, os.O_RDONLY)
    applier = Applier(descriptor)
    with pytest.raises((OSError, BadStream)):
        for command in commands([data]):
            applier.apply(command)
            applier.flush()
    applier.close()
    os.close(descriptor)
    assert outside.read_text() == "untouched"
    assert (outside.stat().st_mode, outside.stat().st_nlink) == (before.st_mode, before.st_nlink)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["outside", "root"]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": Kind.WRITE, "path": b"node", "file_offset": 0, "data": b"x"},
        {"kind": Kind.TRUNCATE, "path": b"node", "size": 0},
        {"kind": Kind.CLONE, "path": b"file", "file_offset": 0, "clone_path": b"node", "clone_offset": 0},
    ],
)
def test_nothing_but_a_file_is_opened(tmp_path: Path, change: dict[str, Any]) -> None:
    """A FIFO stands for a device node, which only root may make: to open either does something outside."""
    (tmp_path / "file").touch()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    applier = Applier(descriptor)
    made = command(Kind.MKFIFO, path=b"node", mode=stat.S_IFIFO | 0o600, rdev=0)
    with pytest.raises(BadStream, match="is no file"):
        for one in commands([whole(made, command(**{"clone_length": 1, **change}))]):
            applier.apply(one)
            applier.flush()
    applier.close()
    os.close(descriptor)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": Kind.MKFILE, "path": b"a\0b"},
        {"kind": Kind.SYMLINK, "path": b"link", "path_link": b"a\0b"},
        {"kind": Kind.CHOWN, "path": b"file", "uid": 1 << 63, "gid": 0},
        {"kind": Kind.TRUNCATE, "path": b"file", "size": (1 << 64) - 1},
        {"kind": Kind.WRITE, "path": b"file", "file_offset": (1 << 64) - 1, "data": b"x"},
        {"kind": Kind.MKNOD, "path": b"node", "mode": 1 << 63, "rdev": 0},
    ],
)
def test_names_and_numbers_that_no_kernel_takes_are_damage(tmp_path: Path, change: dict[str, Any]) -> None:
    (tmp_path / "file").touch()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    applier = Applier(descriptor)
    with pytest.raises(BadStream):
        for one in commands([whole(command(**change))]):
            applier.apply(one)
            applier.flush()
    applier.close()
    os.close(descriptor)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"something else entirely, and long enough",
        MAGIC + struct.pack("<I", 3),
        stream(Kind.WRITE, path=b"file")[:-20],
        MAGIC + struct.pack("<I", 1) + struct.pack("<IHI", 0, 99, 0),
        MAGIC + struct.pack("<I", 1) + struct.pack("<IHI", 1 << 30, Kind.WRITE, 0),
        MAGIC + struct.pack("<I", 1) + struct.pack("<IHI", 6, Kind.WRITE, 0) + struct.pack("<HHH", 15, 9, 0),
    ],
)
def test_what_is_no_stream_is_refused(data: bytes) -> None:
    with pytest.raises(BadStream):
        list(commands([data]))


def test_a_stream_may_come_byte_by_byte() -> None:
    data = stream(Kind.WRITE, path=b"file", file_offset=7, data=b"content")
    found = [
        (command.kind, command.data(Field.PATH), command.number(Field.FILE_OFFSET))
        for command in commands(bytes([byte]) for byte in data)
        if command.kind is not Kind.END
    ]
    assert found == [(Kind.WRITE, b"file", 7)]
