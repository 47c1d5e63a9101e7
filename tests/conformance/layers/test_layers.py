"""The suite of the layers port: GNU tar, umoci and the kernel's overlay are the judges."""

from __future__ import annotations

import ast
import asyncio
import gzip
import hashlib
import io
import os
import stat
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.layers.stacks import Stack, folders, umoci_unpack
from tests.unit.tar.trees import grow, picture
from zonehost.drivers.layers.pool import LayerPool
from zonehost.errors import InvalidParameter, NotFound, SystemFailure
from zonehost.linux.forkserver import ForkServer
from zonehost.tar.reader import Bounds

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may make whiteouts")


async def sliced(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def output_of(command: list[str | Path]) -> bytes:
    return subprocess.run(command, check=False, capture_output=True).stdout  # v7 cannot hold all: tar complains


async def packed(pool: LayerPool, diff_id: str) -> bytes:
    return b"".join([chunk async for chunk in pool.pack(diff_id)])


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def archive(*members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as file:
        for member in members:
            info, content = member if isinstance(member, tuple) else (member, b"")
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return out.getvalue()


def info(name: str, kind: bytes = tarfile.REGTYPE, **fields: Any) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    for field, value in fields.items():
        setattr(member, field, value)
    return member


def merged(scratch: Path, *stacks: tuple[str, ...]) -> list[dict[str, Any]]:
    """What each stack shows as an overlay."""
    scratch.mkdir()
    command = [sys.executable, "-m", "tests.conformance.layers.merged", str(scratch), *map(",".join, stacks)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [ast.literal_eval(line) for line in lines]


def portrait_without_links(tree: dict[str, Any]) -> dict[str, Any]:
    """Without the root, and without which names are one file: overlayfs tells that per layer only."""
    return {name: (*portrait[:6], portrait[7]) for name, portrait in tree.items() if name != "."}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("options", ["--format=gnu --sparse", "--format=posix --sparse --xattrs", "--format=v7"])
async def test_an_archive_comes_out_as_it_went_in(pool: LayerPool, tmp_path: Path, seed: int, options: str) -> None:
    grow(tmp_path / "in", seed)
    command: list[str | Path] = ["tar", "-cf-", *options.split(), "-C", tmp_path / "in", "."]
    data = await asyncio.to_thread(output_of, command)
    layer = await pool.unpack(sliced(data), diff_id=digest(data))
    assert (layer.diff_id, layer.archive_size) == (digest(data), len(data))
    with tarfile.open(fileobj=io.BytesIO(data)) as members:
        assert layer.size == sum(member.size for member in members if member.isreg())
    assert await packed(pool, layer.diff_id) == data
    compressed = await pool.unpack(sliced(gzip.compress(data)))
    assert compressed == layer


@pytest.mark.parametrize("seed", range(16))
async def test_a_stack_shows_what_umoci_makes_of_it(pool: LayerPool, tmp_path: Path, seed: int) -> None:
    stack = Stack(seed)
    archives = [stack.layer() for _ in range(4)]
    layers = [(await pool.unpack(sliced(data))).diff_id for data in archives]
    assert [await packed(pool, layer) for layer in layers] == archives
    for layer, data in zip(layers, archives, strict=True):
        blobs = [b"".join([chunk async for chunk in pool.compressed(layer)]) for _ in range(2)]
        assert blobs[0] == blobs[1]
        assert gzip.decompress(blobs[0]) == data
    await pool.settle(layers)
    (ours,) = merged(tmp_path / "scratch", pool.stack(layers))
    theirs = picture(umoci_unpack(archives, tmp_path / "umoci"))
    assert portrait_without_links(ours) == portrait_without_links(theirs)


async def test_replaced_files_are_kept_for_the_archive(pool: LayerPool) -> None:
    data = archive(
        (info("a"), b"one"),
        info("d", tarfile.DIRTYPE),
        info("d/e", tarfile.DIRTYPE),
        (info("d/x"), b"two"),
        (info("d/x"), b"three"),
        (info("a"), b"four"),
        info("d", tarfile.SYMTYPE, linkname="a"),
        info("a", tarfile.DIRTYPE),
        (info("a/y"), b"five"),
        (info("d/z"), b"six"),
    )
    layer = await pool.unpack(sliced(data))
    assert await packed(pool, layer.diff_id) == data
    tree = Path(pool.path(layer.diff_id))
    assert sorted(str(path.relative_to(tree)) for path in tree.rglob("*")) == ["a", "a/y", "a/z", "d"]


async def test_whiteouts_spare_their_own_layer(pool: LayerPool) -> None:
    data = archive(
        (info("kept"), b"1"),
        info(".wh.kept"),
        info("dir", tarfile.DIRTYPE),
        (info("dir/x"), b"1"),
        info(".wh.dir"),
        info(".wh.later"),
        info("later", tarfile.DIRTYPE),
        info(".wh.gone"),
        info("deep/.wh..wh..opq"),
        info(".wh..wh.plnk", tarfile.DIRTYPE),
        info(".wh..wh.plnk/1.2"),
    )
    layer = await pool.unpack(sliced(data))
    tree = Path(pool.path(layer.diff_id))
    assert (tree / "kept").read_bytes() == b"1"
    for name in ("dir", "later", "deep"):
        assert os.getxattr(tree / name, "trusted.overlay.opaque") == b"y"
    assert stat.S_ISCHR((tree / "gone").lstat().st_mode)
    assert {path.name for path in tree.iterdir()} == {"kept", "dir", "later", "gone", "deep"}


async def test_layers_take_from_those_below(pool: LayerPool, tmp_path: Path) -> None:
    base = archive(
        info("tmp", tarfile.DIRTYPE, mode=0o1777, mtime=5),
        info("home", tarfile.DIRTYPE, mode=0o700, uid=7, mtime=6, pax_headers={"SCHILY.xattr.user.a": "b"}),
        (info("home/file", mode=0o4711, uid=9, mtime=7), b"content"),
    )
    other = archive(info("tmp", tarfile.DIRTYPE, mode=0o750, mtime=8), (info("home/file", mtime=9), b"other"))
    upper = archive((info("tmp/x"), b""), info("home/again", tarfile.LNKTYPE, linkname="home/file"), info("new/y"))
    one, two, top = [(await pool.unpack(sliced(data))).diff_id for data in (base, other, upper)]
    await pool.settle([one, top])
    await pool.settle([two, top])
    await pool.settle([two, top])
    reopened = LayerPool(str(tmp_path / "layers"), pool._forks)
    assert await reopened.survey() == {one, two, top}
    stacks = (reopened.stack([one, top]), reopened.stack([two, top]))
    assert stacks == (pool.stack([one, top]), pool.stack([two, top]))
    on_one, on_two = merged(tmp_path / "scratch", *stacks)
    assert (stat.S_IMODE(on_one["tmp"][0]), stat.S_IMODE(on_two["tmp"][0])) == (0o1777, 0o750)
    assert on_one["home"][:2] == (stat.S_IFDIR | 0o700, 7)
    assert on_one["home"][7] == {"user.a": b"b"}
    assert on_one["home/again"][:6] == (stat.S_IFREG | 0o4711, 9, 0, 0, 7_000_000_000, b"content")
    assert on_one["home/again"][6] == on_one["home/file"][6] is not None
    assert on_two["home/again"][5] == b"other"
    assert "new/y" in on_one
    await pool.remove(top)
    assert pool.stack([one]) == (pool.path(one),)


async def test_a_hard_link_to_nothing_is_refused(pool: LayerPool) -> None:
    bottom = (await pool.unpack(sliced(archive(info("a"))))).diff_id
    layer = (await pool.unpack(sliced(archive(info("b", tarfile.LNKTYPE, linkname="gone"))))).diff_id
    for stack in ([layer], [bottom, layer]):
        with pytest.raises(InvalidParameter, match="that no layer has"):
            await pool.settle(stack)


async def test_attributes_of_overlayfs_pass_through(pool: LayerPool, tmp_path: Path) -> None:
    attributes = {"SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.trusted.overlay.redirect": "/etc"}
    data = archive(info("d", tarfile.DIRTYPE, pax_headers=attributes, mode=0o755))
    layer = await pool.unpack(sliced(data))
    (shown,) = merged(tmp_path / "scratch", pool.stack([layer.diff_id]))
    assert shown["d"][7] == {"trusted.overlay.opaque": b"y", "trusted.overlay.redirect": b"/etc"}


async def test_the_wrong_digest_leaves_nothing(pool: LayerPool, tmp_path: Path) -> None:
    data = archive((info("a"), b"1"))
    with pytest.raises(InvalidParameter, match=f"the layer is {digest(data)}, not sha256:0"):
        await pool.unpack(sliced(data), diff_id=f"sha256:{'0' * 64}")
    assert folders(tmp_path) == []
    assert pool.get(digest(data)) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\x1f\x8b\x08 this is no gzip at all, but long enough to be tried",
        archive((info("a"), b"1" * 5000))[:3000],
        archive(info("../a")),
        archive(info("a", tarfile.LNKTYPE, linkname="../../etc/passwd")),
        archive((info("a"), b"1"), (info("a/b"), b"1")),
        archive(info(".wh.")),
        archive(info("d/.wh...")),
        archive(info("n" * 300)),
        archive(info("/".join(["long"] * 2000))),
    ],
    ids=["gzip", "cut", "name", "link", "below-file", "wh-nothing", "wh-up", "long-name", "long-path"],
)
async def test_hostile_archives_leave_nothing(pool: LayerPool, tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InvalidParameter):
        await pool.unpack(sliced(data))
    assert folders(tmp_path) == []


async def test_bombs_are_refused(forks: ForkServer, tmp_path: Path) -> None:
    pool = LayerPool(str(tmp_path / "layers"), forks, Bounds(entries=100, size=1 << 20))
    await pool.survey()
    many = archive(*(info(f"f{number}") for number in range(101)))
    large = gzip.compress(archive((info("a"), bytes(1 << 21))))
    tail = gzip.compress(archive(info("a")) + bytes(1 << 22))
    for data in (many, large, tail):
        with pytest.raises(InvalidParameter, match="more than"):
            await pool.unpack(sliced(data))
    assert folders(tmp_path) == []


async def test_links_out_and_devices_are_harmless(pool: LayerPool, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    data = archive(
        info("esc", tarfile.SYMTYPE, linkname=str(outside)),
        (info("esc/a"), b"1"),
        info("up", tarfile.SYMTYPE, linkname="../../../../../../../../" + str(outside)),
        (info("up/b"), b"1"),
        info("esc/.wh.c"),
        info("sda", tarfile.BLKTYPE, devmajor=8, devminor=0, mode=0o666),
    )
    layer = await pool.unpack(sliced(data))
    assert list(outside.iterdir()) == []
    assert await packed(pool, layer.diff_id) == data
    assert stat.S_ISBLK((Path(pool.path(layer.diff_id)) / "sda").lstat().st_mode)


async def test_damage_on_disk_is_noticed(pool: LayerPool) -> None:
    layer = await pool.unpack(sliced(archive((info("a"), b"12345"))))
    Path(pool.path(layer.diff_id), "a").write_bytes(b"12346")
    with pytest.raises(SystemFailure, match="damaged"):
        await packed(pool, layer.diff_id)
    Path(pool.path(layer.diff_id), "a").write_bytes(b"1")
    with pytest.raises(SystemFailure, match="cut off"):
        await packed(pool, layer.diff_id)


async def test_the_same_layer_twice_at_once_is_one(pool: LayerPool, tmp_path: Path) -> None:
    data = archive((info("a"), b"1"))
    one, two = await asyncio.gather(pool.unpack(sliced(data)), pool.unpack(sliced(data)))
    assert one == two
    assert [path.name for path in folders(tmp_path)] == [one.diff_id.removeprefix("sha256:")]


async def test_a_client_that_goes_leaves_nothing(pool: LayerPool, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield archive((info("a"), b"1" * 100_000))[:50_000]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await pool.unpack(broken())

    began = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        async for chunk in sliced(archive((info("a"), bytes(8 << 20)))[: 4 << 20]):
            yield chunk  # more than the pipe holds: the job is at work
        began.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(pool.unpack(endless()))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert folders(tmp_path) == []


async def test_a_foundation_is_laid_and_mended_and_is_no_layer(pool: LayerPool, forks: ForkServer) -> None:
    tree = Path(pool.foundation)
    assert (tree / "etc/mtab").readlink() == Path("/proc/mounts")
    assert tree.stat().st_mode & 0o7777 == 0o755
    (tree / ".dockerenv").unlink()
    again = LayerPool(str(tree.parent), forks)
    assert await again.survey() == await again.listed() == frozenset()
    assert (tree / ".dockerenv").read_bytes() == b""


async def test_a_survey_removes_what_a_crash_left(pool: LayerPool, tmp_path: Path) -> None:
    layer = await pool.unpack(sliced(archive((info("a"), b"1"))))
    (tmp_path / "layers" / "aside-0123" / "tree").mkdir(parents=True)
    removed = tmp_path / "layers" / "aside-4567"  # a safe layer whose removal a crash interrupted
    (removed / "tree").mkdir(parents=True)
    (removed / "safe").write_text("{}")
    again = LayerPool(str(tmp_path / "layers"), pool._forks)
    assert await again.survey() == {layer.diff_id}
    assert again.get(layer.diff_id) == layer
    assert len(folders(tmp_path)) == 1


async def test_what_is_not_there(pool: LayerPool) -> None:
    missing = f"sha256:{'1' * 64}"
    assert pool.get(missing) is None
    await pool.remove(missing)
    with pytest.raises(NotFound):
        pool.pack(missing)
    with pytest.raises(NotFound):
        pool.stack([missing])


def change(root: Path, upper: Path, work: Path, scratch: Path, script: str) -> None:
    """Run a script in an overlay of `root` whose upper directory is `upper`."""
    for path in (upper, work, scratch):
        path.mkdir()
    mount = f"mount -t overlay -o lowerdir={root},upperdir={upper},workdir={work} none {scratch}"
    subprocess.run(["unshare", "-m", "sh", "-ec", f"{mount}; cd {scratch}; {script}"], check=True)


async def test_a_commit_is_what_the_zone_shows(pool: LayerPool, tmp_path: Path) -> None:
    base = archive(
        info("etc", tarfile.DIRTYPE, mode=0o755, mtime=1),
        (info("etc/passwd", mtime=1), b"root"),
        (info("etc/group", mtime=1), b"root"),
        info("var", tarfile.DIRTYPE, mode=0o755, mtime=1),
        (info("var/old", mtime=1), b"x"),
        (info("bin", mtime=1), b"x"),
    )
    bottom = (await pool.unpack(sliced(base))).diff_id
    script = """
        echo new > etc/passwd; rm etc/group; rm -r var; mkdir var; echo 1 > var/new; ln var/new var/hard
        rm bin; mkdir bin; ln -s /x bin/link; mkfifo bin/fifo; chmod 4755 etc/passwd; chown 5:6 bin/fifo
        truncate -s 100000 bin/sparse; setfattr -n user.a -v b var
    """
    upper = tmp_path / "upper"
    change(Path(pool.path(bottom)), upper, tmp_path / "work", tmp_path / "scratch", script)
    layer = await pool.commit(str(upper))
    shown, before = merged(
        tmp_path / "merged", pool.stack([bottom, layer.diff_id]), (*pool.stack([bottom]), str(upper))
    )
    del shown["."], before["."]
    assert shown == before
    data = await packed(pool, layer.diff_id)
    assert digest(data) == layer.diff_id
    assert (await pool.commit(str(upper))) == layer
    theirs = picture(umoci_unpack([base, data], tmp_path / "umoci"))
    assert portrait_without_links(theirs) == portrait_without_links(shown)


async def test_a_commit_at_an_epoch_is_reproducible(pool: LayerPool, tmp_path: Path) -> None:
    for name, time in (("a", 2_000_000_000), ("b", 2_100_000_000)):
        (tmp_path / name / "d").mkdir(parents=True)
        (tmp_path / name / "d" / "f").write_bytes(b"1")
        os.utime(tmp_path / name / "d" / "f", (time, time))
        os.utime(tmp_path / name / "d", (time, time))
    one = await pool.commit(str(tmp_path / "a"), epoch=1_000_000_000)
    two = await pool.commit(str(tmp_path / "b"), epoch=1_000_000_000)
    assert one == two
    assert (await pool.commit(str(tmp_path / "a"))) != one


async def test_a_commit_of_nothing_is_always_the_same_layer(pool: LayerPool, tmp_path: Path) -> None:
    """What only stood where something was mounted is nothing; anything else is something."""
    nothing = digest(bytes(1024))
    for number, places in enumerate([(), ("dev", "proc"), ("sys", "etc")]):
        upper = tmp_path / f"upper{number}"
        for place in ("", *places):
            (upper / place).mkdir(parents=True)
        assert (await pool.commit(str(upper), epoch=number or None)).diff_id == nothing
    for name, place in (("dev/x", "dev"), ("etc/hosts", "etc"), ("own", "")):
        upper = tmp_path / f"upper-{name.replace('/', '-')}"
        (upper / place).mkdir(parents=True)
        (upper / name).write_bytes(b"x")
        assert (await pool.commit(str(upper))).diff_id != nothing


@pytest.mark.parametrize("change", [{}, {"mode": 0o711}, {"owner": 5}, {"attribute": b"x"}])
async def test_a_mount_place_that_the_layers_show_otherwise_is_a_change(
    pool: LayerPool, tmp_path: Path, change: dict[str, Any]
) -> None:
    below = [(await pool.unpack(sliced(archive(info("etc", tarfile.DIRTYPE, mode=0o755))))).diff_id]
    below.append((await pool.unpack(sliced(archive((info("other"), b"x"))))).diff_id)
    etc = tmp_path / "upper" / "etc"
    etc.mkdir(mode=change.get("mode", 0o755), parents=True)
    os.chown(etc, change.get("owner", 0), 0)
    os.setxattr(etc, "trusted.overlay.origin", b"x")
    if "attribute" in change:
        os.setxattr(etc, "user.a", change["attribute"])
    layer = await pool.commit(str(tmp_path / "upper"), below=below)
    assert (layer.diff_id == digest(bytes(1024))) is (not change)


async def test_a_name_that_reads_as_a_whiteout_cannot_be_committed(pool: LayerPool, tmp_path: Path) -> None:
    (tmp_path / "upper").mkdir()
    (tmp_path / "upper" / ".wh.x").write_bytes(b"")
    with pytest.raises(InvalidParameter, match=r"/\.wh\.x"):
        await pool.commit(str(tmp_path / "upper"))
    assert folders(tmp_path) == []


async def test_layers_that_went_down_with_the_machine_are_found_out(pool: LayerPool, tmp_path: Path) -> None:
    layers: dict[str, str] = {}
    for name in ("beside", "settled", "whole", "torn", "headless"):
        layers[name] = (await pool.unpack(sliced(archive((info("a"), name.encode()))))).diff_id
        if name == "settled":
            await pool.settle([layers[name]])
    for name in ("whole", "torn", "headless"):
        facts = Path(pool.folder(layers[name]), "facts.json")
        facts.write_text(facts.read_text().replace('"boot":"', '"boot":"another'))
    for name in ("beside", "settled"):  # one sync serves all that was there: neither is looked at again
        Path(pool.path(layers[name]), "a").write_bytes(b"")
    Path(pool.path(layers["torn"]), "a").write_bytes(b"")
    Path(pool.folder(layers["headless"]), "facts.json").write_bytes(b"")
    again = LayerPool(str(tmp_path / "layers"), pool._forks)
    assert await again.survey() == {layers["beside"], layers["settled"], layers["whole"]}
    assert len(folders(tmp_path)) == 3
