"""Archives read and unpacked as GNU tar does, and written so that GNU tar reads them."""

from __future__ import annotations

import bz2
import io
import lzma
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from isal import igzip

from tests.unit.tar.trees import ROOT, grow, picture
from zonehost.errors import InvalidParameter
from zonehost.tar import block, compression, entry, pax, writer
from zonehost.tar.digest import Digester
from zonehost.tar.entry import Entry, relative
from zonehost.tar.extract import Extractor
from zonehost.tar.reader import Bounds, Reader
from zonehost.tar.scan import Scanner, reading
from zonehost.tar.source import Source
from zonehost.tar.tree import Tree

GNU = ["tar", "--create", "--file=-", "--numeric-owner", "--sort=name"]


@pytest.fixture(autouse=True)
def _no_umask() -> Iterator[None]:
    old = os.umask(0)
    yield
    os.umask(old)


def sliced(data: bytes, size: int = 1000) -> Iterator[bytes]:
    """The data in chunks that end in the midst of things."""
    return (data[start : start + size] for start in range(0, len(data), size))


def refuse(holder: int, where: bytes, base: bytes, is_folder: bool, member: Entry) -> None:
    raise AssertionError(f"{base!r} is there twice")


def unpack(archive: bytes, target: Path, bounds: Bounds | None = None, chunk: int = 1000) -> list[Entry]:
    target.mkdir(exist_ok=True)
    root = os.open(target, os.O_RDONLY)
    tree = Tree(root)
    extractor = Extractor(tree, refuse)
    noted: list[bytes] = []
    members = []
    try:
        reader = Reader(Source(compression.plain(sliced(archive, chunk))), bounds or Bounds(), noted.append)
        for member in reader:
            members.append(member)
            extractor.put(relative(member.name), member, reader.content())
        extractor.finish()
    finally:
        tree.close()
        os.close(root)
    return members


def create(root: Path) -> bytes:
    fd = os.open(root, os.O_RDONLY)
    out = bytearray()
    try:
        for found in Scanner().walk(fd):
            out += writer.header(found.member)
            with reading(found) as content:
                for piece in content:
                    out += piece
            out += bytes(block.padding(found.member.size))
    finally:
        os.close(fd)
    return bytes(out + writer.END)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    "options",
    [
        ["--format=gnu", "--sparse"],
        ["--format=posix", "--xattrs", "--sparse", "--sparse-version=0.0"],
        ["--format=posix", "--xattrs", "--sparse", "--sparse-version=0.1"],
        ["--format=posix", "--xattrs", "--sparse", "--sparse-version=1.0"],
    ],
    ids=lambda options: options[0].removeprefix("--format=") + options[-1].removeprefix("--sparse"),
)
def test_unpacks_what_gnu_tar_packs(tmp_path: Path, seed: int, options: list[str]) -> None:
    grow(tmp_path / "in", seed)
    command: list[str | Path] = [*GNU, *options, "-C", tmp_path / "in", "."]
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    unpack(archive, tmp_path / "out")
    flags = ["--xattrs", "--xattrs-include=*"] if "--xattrs" in options else []
    (tmp_path / "gnu").mkdir()
    subprocess.run(["tar", "-xpf-", "--numeric-owner", *flags, "-C", tmp_path / "gnu"], input=archive, check=True)
    assert picture(tmp_path / "out") == picture(tmp_path / "gnu")
    if "--xattrs" in options:
        assert picture(tmp_path / "out") == picture(tmp_path / "in")


@pytest.mark.parametrize("seed", range(12))
def test_packs_what_gnu_tar_unpacks(tmp_path: Path, seed: int) -> None:
    (tmp_path / "out").mkdir()
    grow(tmp_path / "in", seed)
    command: list[str | Path] = [
        "tar",
        "-xpf-",
        "--numeric-owner",
        "--xattrs",
        "--xattrs-include=*",
        "-C",
        tmp_path / "out",
    ]
    subprocess.run(command, input=create(tmp_path / "in"), check=True)
    told, there = picture(tmp_path / "out"), picture(tmp_path / "in")
    del told["."], there["."]
    assert told == there


@pytest.mark.parametrize("chunk", [1, 511, 512, 513, 1 << 20])
def test_chunks_may_end_anywhere(tmp_path: Path, chunk: int) -> None:
    (tmp_path / "in" / "folder").mkdir(parents=True)
    for size in (0, 1, 511, 512, 513, 2000):
        (tmp_path / "in" / "folder" / f"{size:0150}").write_bytes(os.urandom(size))
    unpack(create(tmp_path / "in"), tmp_path / "out", chunk=chunk)
    told, there = picture(tmp_path / "out"), picture(tmp_path / "in")
    del told["."], there["."]
    assert told == there


def test_notes_hold_everything_but_content(tmp_path: Path) -> None:
    grow(tmp_path / "in", 3)
    command: list[str | Path] = [*GNU, "--format=posix", "--sparse", "-C", tmp_path / "in", "."]
    archive = subprocess.run(command, check=True, capture_output=True).stdout + b"trailing"
    again = bytearray()
    reader = Reader(Source(sliced(archive)), Bounds(), again.extend)
    for number, _ in enumerate(reader):
        if number % 2:
            for piece in reader.content():
                again += piece
    assert bytes(again) == archive


@pytest.mark.parametrize(
    ("name", "compress"),
    [("gzip", igzip.compress), ("zstd", zstandard.compress), ("bzip2", bz2.compress), ("xz", lzma.compress)],
)
def test_compression_is_told_by_the_first_bytes(name: str, compress: object) -> None:
    assert callable(compress)
    data = os.urandom(300_000) + bytes(300_000)
    packed = compress(data[:100_000]) + compress(data[100_000:])
    assert compression.detect(packed) == name
    assert b"".join(compression.plain(sliced(packed, 700))) == data
    for damaged in (packed[:-20], packed + b"garbage"):
        with pytest.raises(InvalidParameter):
            b"".join(compression.plain(sliced(damaged, 700)))


def test_a_bomb_is_unpacked_in_small_pieces() -> None:
    for packed in (zstandard.compress(bytes(1 << 28)), igzip.compress(bytes(1 << 28))):
        pieces = compression.plain(iter([packed]))
        assert max(len(next(pieces)) for _ in range(20)) <= 1 << 20


def test_nothing_and_little_are_not_compressed() -> None:
    assert b"".join(compression.plain(iter([]))) == b""
    assert b"".join(compression.plain(iter([b"B", b"Z"]))) == b"BZ"


def test_digest() -> None:
    digester = Digester()
    assert b"".join(digester.watch(sliced(b"a" * 100_000))) == b"a" * 100_000
    assert digester.finish() == "sha256:6d1cf22d7cc09b085dfc25ee1a1f3ae0265804c607bc2074ad253bcc82fd81ee"
    assert digester.size == 100_000


def test_numbers_of_every_kind() -> None:
    assert block.number(b"0000644\0") == 0o644
    assert block.number(b"   644 \0") == 0o644
    assert block.number(bytes(8)) == 0
    assert block.number(b"\x80" + (1 << 40).to_bytes(11, "big")) == 1 << 40
    assert block.number(b"\xff" * 12) == -1
    with pytest.raises(InvalidParameter):
        block.number(b"12x4567\0")


@pytest.mark.parametrize("time", [0, 1, -1, 1_500_000_000, -1_500_000_000, 10**18 + 1, -(10**18) - 999_999_999])
def test_times_survive_a_record(time: int) -> None:
    assert pax.nanoseconds(pax.seconds(time)) == time


@pytest.mark.parametrize("length", [*range(1, 20), 85, 86, 87, 88, 89, 985, 986, 987, 988, 989])
def test_a_record_counts_its_own_length(length: int) -> None:
    body = pax.render([(b"key", b"v" * length)])
    assert int(body.split(b" ")[0]) == len(body)
    assert list(pax.records(body)) == [(b"key", b"v" * length)]


def test_libarchive_attributes() -> None:
    assert pax.xattrs({b"LIBARCHIVE.xattr.user.a%3Db": b"AAE"}) == {b"user.a=b": b"\0\1"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [(b"a/b", b"a/b"), (b"./a//b/", b"a/b"), (b"/a", b"a"), (b"./", b""), (b"a/../b", b"b"), (b"..a/.b", b"..a/.b")],
)
def test_names_are_below_the_directory(name: bytes, expected: bytes) -> None:
    assert relative(name) == expected


@pytest.mark.parametrize("name", [b"..", b"../a", b"/../a", b"a/../../b"])
def test_names_that_lead_out_are_refused(name: bytes) -> None:
    with pytest.raises(InvalidParameter, match="leads out"):
        relative(name)


def _tar(*members: tuple[str, bytes, bytes, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, kind, content, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.linkname, info.mode = kind, len(content), link, 0o755
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_links_are_followed_inside_only(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    archive = _tar(
        ("abs", tarfile.SYMTYPE, b"", str(outside)),
        ("up", tarfile.SYMTYPE, b"", "../outside"),
        ("abs/a", tarfile.REGTYPE, b"1", ""),
        ("up/b", tarfile.REGTYPE, b"2", ""),
        ("hard", tarfile.LNKTYPE, b"", "abs/a"),
    )
    unpack(archive, tmp_path / "out")
    assert list(outside.iterdir()) == []
    inner = tmp_path / "out" / str(outside).lstrip("/")
    assert (inner / "a").read_bytes() == b"1"
    assert (tmp_path / "out" / "outside" / "b").read_bytes() == b"2"
    assert (tmp_path / "out" / "hard").read_bytes() == b"1"


@pytest.mark.parametrize(
    ("archive", "why"),
    [
        (_tar(("f", tarfile.REGTYPE, b"1", ""), ("f/x", tarfile.REGTYPE, b"1", "")), "not a directory"),
        (_tar(("l", tarfile.SYMTYPE, b"", "l"), ("l/x", tarfile.REGTYPE, b"1", "")), "not a directory"),
        (_tar(("h", tarfile.LNKTYPE, b"", "../../etc/passwd")), "leads out"),
        (_tar(("f", tarfile.REGTYPE, b"1", ""))[:700], "cut off"),
        (b"no archive at all" * 100, "not a tar archive"),
        (bytes(512) + _tar(("f", tarfile.REGTYPE, b"1", "")), "zeros"),
        (_tar(("f", b"Z", b"", "")), "unknown type"),
        (_tar((".", tarfile.REGTYPE, b"1", "")), "without a name"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, archive: bytes, why: str) -> None:
    with pytest.raises(InvalidParameter, match=why):
        unpack(archive, tmp_path / "out")


def test_bounds(tmp_path: Path) -> None:
    archive = _tar(*((f"f{number}", tarfile.REGTYPE, b"x" * 600, "") for number in range(5)))
    unpack(archive, tmp_path / "a", Bounds(entries=5, size=len(archive)))
    with pytest.raises(InvalidParameter, match="more than 4 files"):
        unpack(archive, tmp_path / "b", Bounds(entries=4))
    with pytest.raises(InvalidParameter, match="more than 3000 bytes"):
        unpack(archive, tmp_path / "c", Bounds(size=3000))


def test_a_sparse_file_is_bounded_by_what_it_unpacks_to(tmp_path: Path) -> None:
    with open(tmp_path / "huge", "wb") as file:
        file.truncate(1 << 42)
    command: list[str | Path] = [*GNU, "--format=posix", "--sparse", "-C", tmp_path, "huge"]
    archive = subprocess.run(command, check=True, capture_output=True).stdout
    with pytest.raises(InvalidParameter, match="bytes"):
        unpack(archive, tmp_path / "out")


@pytest.mark.skipif(not ROOT, reason="only root may set owners")
def test_directories_keep_their_mode_and_inherit_nothing(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    os.chown(tmp_path / "in", 0, 7)
    (tmp_path / "in" / "d").mkdir(mode=0o700)
    os.chown(tmp_path / "in" / "d", 0, 5)
    (tmp_path / "in" / "d").chmod(0o2700)
    (tmp_path / "in" / "d" / "f").write_bytes(b"")
    os.chown(tmp_path / "in" / "d" / "f", 0, 0)
    unpack(create(tmp_path / "in"), tmp_path / "out")
    assert (tmp_path / "out/d").stat().st_mode & 0o7777 == 0o2700
    assert (tmp_path / "out/d/f").stat().st_gid == 0
    assert entry.shown(b"a\nb\xff") == r"a\nb\\xff"
