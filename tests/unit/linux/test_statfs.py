"""The structures of statfs(2), field by field."""

from __future__ import annotations

import os

from zonehost.linux import statfs
from zonehost.linux.statfs import Statfs

FSID = bytes(range(1, 9))
STATUS = Statfs(
    type=statfs.BTRFS,
    block_size=4096,
    blocks=1000,
    free=900,
    available=800,
    files=70,
    free_files=60,
    fsid=FSID,
    name_length=255,
    fragment_size=4096,
    flags=0x1020,
)


def numbers(text: bytes, width: int) -> list[int]:
    return [int.from_bytes(text[at : at + width], "little") for at in range(0, len(text), width)]


def test_native() -> None:
    text = statfs.native(STATUS)
    assert text is not None
    assert len(text) == 120
    assert numbers(text[:56], 8) == [statfs.BTRFS, 4096, 1000, 900, 800, 70, 60]
    assert text[56:64] == FSID
    assert numbers(text[64:], 8) == [255, 4096, 0x1020, 0, 0, 0, 0]


def test_compat() -> None:
    text = statfs.compat(STATUS)
    assert text is not None
    assert len(text) == 64
    assert numbers(text[:28], 4) == [statfs.BTRFS, 4096, 1000, 900, 800, 70, 60]
    assert text[28:36] == FSID
    assert numbers(text[36:], 4) == [255, 4096, 0x1020, 0, 0, 0, 0]


def test_compat_64() -> None:
    text = statfs.compat_64(STATUS._replace(blocks=1 << 40))
    assert text is not None
    assert len(text) == 84
    assert numbers(text[:8], 4) == [statfs.BTRFS, 4096]
    assert numbers(text[8:48], 8) == [1 << 40, 900, 800, 70, 60]
    assert text[48:56] == FSID
    assert numbers(text[56:], 4) == [255, 4096, 0x1020, 0, 0, 0, 0]


def test_what_has_no_room_is_not_told() -> None:
    for large in (STATUS._replace(blocks=1 << 32), STATUS._replace(free=1 << 32), STATUS._replace(available=1 << 32)):
        assert statfs.compat(large) is None
    assert statfs.compat(STATUS._replace(blocks=(1 << 32) - 1)) is not None


def test_an_unknown_number_of_files_fits() -> None:
    text = statfs.compat(STATUS._replace(files=(1 << 64) - 1))
    assert text is not None
    assert numbers(text[20:24], 4) == [(1 << 32) - 1]


def test_a_file_system_of_this_machine() -> None:
    descriptor = os.open("/", os.O_PATH)
    try:
        found, told = statfs.of_file(descriptor), os.statvfs("/")
    finally:
        os.close(descriptor)
    assert (found.block_size, found.blocks, found.files) == (told.f_bsize, told.f_blocks, told.f_files)
    assert found.name_length == told.f_namemax
