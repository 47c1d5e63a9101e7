"""Files that begin to go to the disk early."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zonehost.linux.writeback import Writeback

LARGE = 1 << 20


def descriptors() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())


def test_files_are_closed_whether_there_is_much_to_do_or_nothing(tmp_path: Path) -> None:
    before = descriptors()
    for files in (0, 1, 200):
        writeback = Writeback()
        for number in range(files):
            with (tmp_path / str(number)).open("wb") as file:
                file.write(b"x")
                file.flush()
                writeback.begin(file.fileno(), LARGE)
        writeback.finish()
        writeback.close()
    assert descriptors() == before


def test_small_files_are_left_to_the_sync(tmp_path: Path) -> None:
    before = descriptors()
    with (tmp_path / "file").open("wb") as file:
        writeback = Writeback()
        writeback.begin(file.fileno(), 4096)
        assert len(descriptors()) == len(before) + 1
        writeback.finish()


def test_what_cannot_go_to_the_disk_is_told_at_the_end() -> None:
    before = descriptors()
    read, write = os.pipe()
    writeback = Writeback()
    for _ in range(100):
        writeback.begin(write, LARGE)
    with pytest.raises(OSError, match="Illegal seek"):
        writeback.finish()
    os.close(read)
    os.close(write)
    assert descriptors() == before
