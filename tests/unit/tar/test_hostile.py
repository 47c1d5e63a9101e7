"""Archives that are damaged on purpose: each is read or refused, in one way only, and writes nowhere else."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.tar.trees import grow
from zonehost.errors import InvalidParameter
from zonehost.tar import block, compression, pax
from zonehost.tar.entry import Entry, relative
from zonehost.tar.extract import Extractor
from zonehost.tar.reader import Bounds, Reader
from zonehost.tar.source import Source
from zonehost.tar.tree import Tree

ROUNDS = 150
FORMATS = (
    ("--format=gnu", "--sparse"),
    ("--format=posix", "--xattrs", "--sparse"),
    ("--format=posix", "--sparse", "--sparse-version=0.1"),
)


@pytest.fixture(autouse=True)
def _no_umask() -> Iterator[None]:
    old = os.umask(0)
    yield
    os.umask(old)


def damaged(archive: bytes, chance: random.Random) -> bytes:
    """A few blocks changed, dropped or doubled; changed blocks have a right checksum, so that they are looked into."""
    data = bytearray(archive)
    for _ in range(chance.choice((1, 1, 2, 5))):
        start = chance.randrange(len(data) // block.SIZE) * block.SIZE
        end = start + block.SIZE
        kind = chance.choice(("change", "change", "change", "drop", "double", "spoil"))
        if kind == "change":
            for _ in range(chance.choice((1, 2, 4, 20))):
                data[start + chance.randrange(block.SIZE)] = chance.choice((0, 0x80, 0xFF, 0x30, 0x2F, 0x2E))
            data[start + 148 : start + 156] = b" " * 8
            data[start + 148 : start + 156] = b"%06o\0 " % sum(data[start:end])
        elif kind == "drop":
            del data[start:end]
        elif kind == "double":
            data[start:start] = data[start:end]
        else:
            data[chance.randrange(len(data))] = chance.randrange(256)
    return bytes(data)


def make_room(holder: int, where: bytes, base: bytes, is_folder: bool, member: Entry) -> None:
    if is_folder:
        shutil.rmtree(base, dir_fd=holder)
    else:
        os.unlink(base, dir_fd=holder)


def outcome(data: bytes, folder: Path) -> str:
    folder.mkdir()
    root = os.open(folder, os.O_RDONLY)
    tree = Tree(root)
    extractor = Extractor(tree, make_room)
    reader = Reader(Source(compression.plain(iter([data]))), Bounds(entries=1000, size=1 << 28))
    try:
        for member in reader:
            extractor.put(relative(member.name), member, reader.content())
        extractor.finish()
    except InvalidParameter:
        return "refused"
    except FileNotFoundError:
        return "hard link to nothing"
    finally:
        tree.close()
        os.close(root)
        shutil.rmtree(folder)
    return "read"


@pytest.mark.parametrize("options", FORMATS)
def test_damage_is_refused_or_harmless(tmp_path: Path, options: tuple[str, ...]) -> None:
    grow(tmp_path / "in", 2, files=14)
    command: list[str | Path] = ["tar", "-cf-", *options, "-C", tmp_path / "in", "."]
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    chance = random.Random(1)
    seen = Counter(outcome(damaged(archive, chance), tmp_path / "out") for _ in range(ROUNDS))
    assert seen["refused"] > ROUNDS / 10
    assert seen["read"] > ROUNDS / 10
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("read", [pax.integer, pax.nanoseconds])
def test_a_number_of_thousands_of_digits_is_refused(read: Callable[[bytes], int]) -> None:
    with pytest.raises(InvalidParameter, match="damaged extended header"):
        read(b"9" * 5000)


def test_a_link_that_takes_the_place_of_a_new_folder_is_not_followed(tmp_path: Path) -> None:
    """A zone may be that quick. Here Python's own hook is: it is called between making the folder and what follows."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir(mode=0o700)
    watching = [True]

    def swap(event: str, _: object) -> None:
        if watching and event in ("open", "os.chmod") and (inside / "made").is_dir():
            watching.clear()
            (inside / "made").rmdir()
            (inside / "made").symlink_to(outside)

    sys.addaudithook(swap)
    root = os.open(inside, os.O_RDONLY | os.O_DIRECTORY)
    tree = Tree(root)
    with pytest.raises(NotADirectoryError):
        tree.parent(b"made/file")
    assert (inside / "made").is_symlink()
    assert outside.stat().st_mode & 0o777 == 0o700
    tree.close()
    os.close(root)
