"""The suite of the files port on zones that do not run; zones that run are in the integration tests."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.tar.trees import grow, picture
from zonehost.domain.blueprint import BindMount, ImageMount, Root
from zonehost.drivers.files.driver import TreeFiles
from zonehost.errors import Conflict, Forbidden, InvalidParameter, NotFound
from zonehost.linux.forkserver import ForkServer
from zonehost.ports.files import FileChange, ZoneTree

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")

GO_DIR, GO_LINK, GO_SETUID, GO_STICKY = 1 << 31, 1 << 27, 1 << 23, 1 << 20


class World:
    """A zone of one image layer: folders of the host that a test may fill, and the driver."""

    def __init__(self, forks: ForkServer, root: Path) -> None:
        self.files = TreeFiles(forks, str(root / "stage"))
        self.image, self.dataset, self.volume = root / "image", root / "zone", root / "volume"
        self.upper = self.dataset / "root" / "upper"
        for path in (self.image, self.upper, self.dataset / "root" / "work", self.volume):
            path.mkdir(parents=True)
        self.scratch = root

    def tree(self, *, readonly: bool = False, **mounts: Any) -> ZoneTree:
        layers = (str(self.image),)
        return ZoneTree("zone1", 0, Root(layers=layers, dataset=str(self.dataset), readonly=readonly), **mounts)

    def change(self, script: str) -> None:
        """Run a script at the zone's root."""
        merged = self.scratch / "merged"
        merged.mkdir(exist_ok=True)
        options = f"lowerdir={self.image},upperdir={self.upper},workdir={self.dataset}/root/work"
        command = f"mount -t overlay -o {options} none {merged}; cd {merged}; {script}"
        subprocess.run(["unshare", "-m", "sh", "-ec", command], check=True)

    async def read(self, path: str, **mounts: Any) -> dict[str, tarfile.TarInfo]:
        data = b"".join([chunk async for chunk in self.files.read(self.tree(**mounts), path)])
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            return {member.name: member for member in archive}

    async def write(self, path: str, *members: tuple[str, bytes], tree: ZoneTree | None = None, **options: Any) -> None:
        await self.files.write(tree or self.tree(), path, one(tar(*members)), **options)


def tar(*members: tuple[str, bytes]) -> bytes:
    """A name that ends with a slash is a directory."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.uid, info.gid, info.mode, info.size = 12, 34, 0o4755, len(content)
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


async def one(data: bytes) -> AsyncIterator[bytes]:
    yield data


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    server = ForkServer(["zonehost.drivers.files.jobs"])
    yield World(server, tmp_path)
    await server.close()


async def test_stat(world: World) -> None:
    world.change(
        "mkdir -p d/e; echo 12345 > d/f; chmod 4711 d/f; touch -d @1.5 d/f; ln -s ../../../d/e d/l; ln -s /d/gone/x l;"
        " chmod 1777 d"
    )
    stat_of = world.files.stat
    tree = world.tree()
    found = await stat_of(tree, "/d/f")
    assert (found.name, found.size, found.mode, found.mtime) == ("f", 6, 0o711 | GO_SETUID, 1_500_000_000)
    assert (await stat_of(tree, "d")).mode == GO_DIR | GO_STICKY | 0o777
    link = await stat_of(tree, "/d/l")
    assert (link.name, link.mode, link.link_target) == ("l", GO_LINK | 0o777, "/d/e")
    assert (await stat_of(tree, "/d/l/")).mode & GO_DIR
    assert (await stat_of(tree, "/l")).link_target == "/d/gone/x"
    assert [(await stat_of(tree, path)).name for path in ("/", "/.", "./", "/d/", "/d/.", "/d/./", "/d/../d")] == [
        "/",
        ".",
        ".",
        "d",
        ".",
        ".",
        "d",
    ]
    for path in ("/nope", "/d/nope/x", "/l/"):
        with pytest.raises(NotFound, match=f"Could not find the file {path} in container zone1"):
            await stat_of(tree, path)
    with pytest.raises(InvalidParameter, match="not a directory"):
        await stat_of(tree, "/d/f/")


async def test_read_names_members_by_the_last_component(world: World) -> None:
    world.change("mkdir -p d/e; echo 1 > d/e/f; ln d/e/f d/h; ln -s e d/l; mkfifo d/p; chown 5:6 d/e/f")
    found = await world.read("/d")
    assert list(found) == ["d", "d/e", "d/e/f", "d/h", "d/l", "d/p"]
    assert (found["d/e/f"].uid, found["d/e/f"].gid, found["d/e/f"].size) == (5, 6, 2)
    assert (found["d/h"].type, found["d/h"].linkname) == (tarfile.LNKTYPE, "d/e/f")
    assert list(await world.read("/d/.")) == [".", "./e", "./e/f", "./h", "./l", "./p"]
    assert list(await world.read("/d/l/")) == ["l", "l/f"]
    assert (await world.read("/d/l"))["l"].linkname == "e"
    assert list(await world.read("/d/e/f")) == ["f"]
    assert "/d/e/f" in await world.read("/")
    with pytest.raises(NotFound, match="Could not find the file /nope"):
        await world.read("/nope")


async def test_of_attributes_only_capabilities_are_copied(world: World) -> None:
    world.change("echo 1 > f; setcap cap_net_raw+ep f; setfattr -n user.a -v b f")
    assert (await world.read("/f"))["f"].pax_headers.keys() == {"SCHILY.xattr.security.capability", "mtime"}
    exported = b"".join([chunk async for chunk in world.files.export(world.tree())])
    with tarfile.open(fileobj=io.BytesIO(exported)) as archive:
        assert set(archive.getmember("f").pax_headers) >= {"SCHILY.xattr.security.capability", "SCHILY.xattr.user.a"}


async def test_nothing_leads_out(world: World, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "f").write_bytes(b"1")
    world.change(f"ln -s {secret} a; ln -s ../../../../../../../../../../{secret} b; mkdir d")
    for path in ("/a/f", "/b/f", f"/../../..{secret}/f"):
        with pytest.raises(NotFound):
            await world.files.stat(world.tree(), path)
    for path in ("/a", "/b"):
        with pytest.raises(NotFound):
            await world.write(path, ("x", b"1"))
    await world.write("/", ("a/x", b"1"), ("b/y", b"1"))
    assert [path.name for path in secret.iterdir()] == ["f"]
    with pytest.raises(InvalidParameter, match="leads out"):
        await world.write("/d", ("../x", b"1"))


async def test_write_keeps_ids_or_gives_them_to_a_user(world: World) -> None:
    world.change("mkdir d; mkdir etc; echo web:x:33:44:::/ > etc/passwd; ln -s d l")
    await world.write("/l", ("f", b"1"), ("n/", b""))
    await world.write("/d", ("u", b"1"), user="web")
    status = (world.upper / "d" / "f").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12, 34, 0o4755)
    assert ((world.upper / "d" / "u").stat().st_uid, (world.upper / "d" / "u").stat().st_gid) == (33, 44)
    assert (world.upper / "d" / "n").is_dir()
    with pytest.raises(InvalidParameter, match="unable to find user nobody"):
        await world.write("/d", ("u", b"1"), user="nobody")
    with pytest.raises(NotFound):
        await world.write("/gone", ("f", b"1"))
    with pytest.raises(InvalidParameter, match="extraction point is not a directory"):
        await world.write("/d/f", ("f", b"1"))
    with pytest.raises(InvalidParameter, match="not a tar archive"):
        await world.files.write(world.tree(), "/d", one(b"x" * 2000))


async def test_write_replaces_but_not_kinds_if_told_so(world: World) -> None:
    world.change("mkdir -p d/folder/x; echo 1 > d/folder/x/y; echo 1 > d/file; ln -s /etc d/link")
    with pytest.raises(InvalidParameter, match='cannot overwrite directory "/d/folder" with non-directory "/d"'):
        await world.write("/d", ("folder", b"2"), keep_kinds=True)
    with pytest.raises(InvalidParameter, match='cannot overwrite non-directory "/d/file" with directory "/d"'):
        await world.write("/d", ("file/", b""), keep_kinds=True)
    await world.write("/d", ("file", b"2"), ("link", b"2"), ("folder/", b""), keep_kinds=True)
    assert (world.upper / "d" / "file").read_bytes() == (world.upper / "d" / "link").read_bytes() == b"2"
    assert (world.upper / "d" / "folder" / "x" / "y").exists()
    await world.write("/d", ("folder", b"2"), ("file/", b""))
    assert (world.upper / "d" / "folder").read_bytes() == b"2"
    assert (world.upper / "d" / "file").is_dir()


async def test_mounts_are_reached_and_never_replaced(world: World, tmp_path: Path) -> None:
    (world.image / "data").mkdir()
    (world.volume / "old").write_bytes(b"1")
    hosts, other = tmp_path / "hosts", tmp_path / "other"
    hosts.write_bytes(b"localhost")
    other.mkdir()
    (other / "in").mkdir()
    (other / "in" / "x").write_bytes(b"1")
    mounts: dict[str, Any] = {
        "binds": (
            BindMount(source=str(hosts), destination="/etc/hosts"),
            BindMount(source=str(world.volume), destination="/data"),
            BindMount(source=str(other), destination="/new/ro", readonly=True, subpath="in"),
        ),
        "images": (ImageMount(layers=(str(other),), destination="/img", subpath="in"),),
    }
    tree = world.tree(**mounts)
    assert list(await world.read("/data", **mounts)) == ["data", "data/old"]
    assert list(await world.read("/new/ro", **mounts)) == ["ro", "ro/x"]
    assert list(await world.read("/img", **mounts)) == ["img", "img/x"]
    assert (await world.files.stat(tree, "/etc/hosts")).size == 9
    assert list(world.upper.iterdir()) == []
    await world.write("/data", ("new", b"1"), tree=tree)
    assert (world.volume / "new").read_bytes() == b"1"
    for path in ("/new/ro", "/img"):
        with pytest.raises(Forbidden, match="mounted volume is marked read-only"):
            await world.write(path, ("y", b"1"), tree=tree)
    for path, name in (("/etc", "hosts"), ("/", "data")):
        with pytest.raises(Conflict, match="busy"):
            await world.write(path, (name, b"1"), tree=tree)
    with pytest.raises(Conflict, match="busy"):
        await world.write("/", ("new", b"1"), tree=tree)
    assert (other / "in" / "x").exists()


async def test_a_read_only_root(world: World) -> None:
    (world.image / "data").mkdir()
    tree = world.tree(readonly=True, binds=(BindMount(source=str(world.volume), destination="/data"),))
    with pytest.raises(Forbidden, match="container rootfs is marked read-only"):
        await world.write("/", ("f", b"1"), tree=tree)
    await world.write("/data", ("f", b"1"), tree=tree)
    assert (world.volume / "f").exists()


async def test_a_link_to_nothing_where_something_is_mounted_leads_nowhere_outside(world: World) -> None:
    outside, source = world.scratch / "outside", world.scratch / "source"
    outside.mkdir()
    source.write_bytes(b"12345")
    world.change(f"mkdir -p ./{outside}; ln -s {outside}/file file; ln -s {outside}/folder/inner folder")
    found = await world.files.stat(
        world.tree(
            binds=(
                BindMount(source=str(source), destination="/file"),
                BindMount(source=str(world.volume), destination="/folder"),
            )
        ),
        f"{outside}/file",
    )
    assert found.size == 5
    assert not list(outside.iterdir())


async def test_export_is_the_root_as_the_zone_sees_it(world: World, tmp_path: Path) -> None:
    world.image.rmdir()
    grow(world.image, 5)
    world.change('rm -rf "$(ls | head -n 1)"; mkdir -p fresh/dir; echo 1 > fresh/file; chown 7:8 fresh/file')
    data = b"".join([chunk async for chunk in world.files.export(world.tree())])
    (tmp_path / "out").mkdir()
    command = ["tar", "-xpf-", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", str(tmp_path / "out")]
    subprocess.run(command, input=data, check=True)  # noqa: ASYNC221
    shown = picture(tmp_path / "out")
    world.change(f"cp -a . {tmp_path}/copy")
    expected = picture(tmp_path / "copy")
    del shown["."], expected["."]
    assert shown == expected


async def test_changes_as_docker_tells_them(world: World) -> None:
    for name in ("dir", "gone", "same", "mode", "hollow/inner"):
        (world.image / name).mkdir(parents=True)
    for name in ("dir/file", "dir/kept", "dir/touched", "gone/x", "same/f", "hollow/a", "hollow/b"):
        (world.image / name).write_bytes(b"1")
    (world.image / "tofile").mkdir()
    (world.image / "todir").write_bytes(b"1")
    world.change(
        """
        echo 22 > dir/file; touch dir/touched; rm -r gone; chmod 700 mode; mkdir -p new/a; echo 1 > new/a/b
        touch same/x; rm same/x; rm -r hollow; mkdir hollow; echo 1 > hollow/b; echo 1 > hollow/c
        rm -r tofile; echo 1 > tofile; rm todir; mkdir todir; echo 1 > todir/x; ln -s /x sym
        mkdir -p proc sys etc; : > etc/hosts; : > etc/resolv.conf; echo 1 > temporary; rm temporary
        """
    )
    found = await world.files.changes(world.tree())
    modified, added, deleted = 0, 1, 2
    assert found == tuple(
        FileChange(path, kind)
        for path, kind in (
            ("/dir", modified),
            ("/dir/file", modified),
            ("/dir/touched", modified),
            ("/gone", deleted),
            ("/hollow", modified),
            ("/hollow/a", deleted),
            ("/hollow/b", modified),
            ("/hollow/c", added),
            ("/hollow/inner", deleted),
            ("/mode", modified),
            ("/new", added),
            ("/new/a", added),
            ("/new/a/b", added),
            ("/sym", added),
            ("/todir", modified),
            ("/todir/x", added),
            ("/tofile", modified),
        )
    )


async def test_populate_copies_everything_of_a_directory(world: World, tmp_path: Path) -> None:
    grow(world.image / "data", 8)
    (world.image / "link").symlink_to("data")
    target = tmp_path / "target"
    target.mkdir()
    await world.files.populate(world.tree(), "/link", str(target))
    assert picture(target) == picture(world.image / "data")
    before = picture(target)
    (world.image / "data" / "more").write_bytes(b"1")
    await world.files.populate(world.tree(), "/data", str(target))
    assert picture(target) == before
    (tmp_path / "empty").mkdir()
    await world.files.populate(world.tree(), "/nope", str(tmp_path / "empty"))
    assert list((tmp_path / "empty").iterdir()) == []


async def test_populate_stays_below_the_volume(world: World, tmp_path: Path) -> None:
    (world.image / "data").mkdir()
    (world.image / "data" / "file").write_bytes(b"1")
    volume, outside = tmp_path / "of-user", tmp_path / "outside"
    for folder in (volume / "part", outside):
        folder.mkdir(parents=True)
    (volume / "link").symlink_to(outside)
    for below in ("part", "link", "none"):
        await world.files.populate(world.tree(), "/data", str(volume), below)
    assert {path.name for path in volume.iterdir()} == {"part", "link"}
    assert [path.name for path in (volume / "part").iterdir()] == ["file"]
    assert list(outside.iterdir()) == []


async def test_sizes_count_each_file_once(world: World) -> None:
    (world.image / "old").write_bytes(b"1" * 1000)
    world.change("echo 12345 > a; ln a b; mkdir d; echo 1234 > d/c; rm old")
    assert await world.files.sizes(world.tree()) == 11


async def test_nothing_stays_mounted(world: World) -> None:
    await world.read("/")
    await world.write("/", ("f", b"1"))
    assert str(world.scratch) not in Path("/proc/self/mountinfo").read_text()
    assert list((world.scratch / "stage").iterdir()) == []


async def test_members_that_cannot_be_are_refused_by_name(world: World) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        info = tarfile.TarInfo("hard")
        info.type, info.linkname = tarfile.LNKTYPE, "gone"
        archive.addfile(info)
    world.change("mkdir d")
    with pytest.raises(InvalidParameter, match="/d/hard: No such file"):
        await world.files.write(world.tree(), "/d", one(data.getvalue()))
    with pytest.raises(InvalidParameter, match="too long"):
        await world.write("/d", ("n" * 300, b""))
