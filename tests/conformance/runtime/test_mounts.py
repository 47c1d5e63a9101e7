"""What is mounted into zones: binds and images, with their owners as the host shows them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.runtime.rig import Rig
from zonehost.domain.blueprint import BindMount, Device, ImageMount, Namespaces
from zonehost.errors import InvalidParameter, NotFound
from zonehost.linux import mounts


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """A folder of the host's with a file of user 1000, and a file system mounted inside."""
    folder = tmp_path / "shared"
    (folder / "inside").mkdir(parents=True)
    (folder / "file").write_text("from the host")
    os.chown(folder / "file", 1000, 1001)
    (folder / "link").symlink_to("/etc/passwd")
    fd = mounts.new("tmpfs", [("mode", "0777")])
    mounts.place(fd, str(folder / "inside"))
    os.close(fd)
    (folder / "inside/deep").write_text("deep")
    yield folder
    mounts.detach(str(folder / "inside"))


async def test_owners_are_the_same_on_both_sides(rig: Rig, shared: Path) -> None:
    bind = BindMount(source=str(shared), destination="/shared")
    command = "cat /shared/file; echo; stat -c %u:%g /shared/file; touch /shared/made"
    assert await rig.run("sh", "-c", command, binds=(bind,)) == (0, "from the host\n1000:1001\n")
    assert ((shared / "made").stat().st_uid, (shared / "made").stat().st_gid) == (0, 0)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


@pytest.fixture
def spreading(tmp_path: Path) -> Iterator[Path]:
    """A folder on a shared mount of its own."""
    folder = tmp_path / "spreading"
    (folder / "inside").mkdir(parents=True)
    _mount("--bind", str(folder), str(folder))
    _mount("--make-shared", str(folder))
    yield folder
    subprocess.run(["umount", "--recursive", folder], check=True)


@pytest.mark.parametrize("propagation", ["rslave", "rshared"])
async def test_what_is_mounted_later_on_the_host_is_seen_where_mounts_spread(
    rig: Rig, spreading: Path, propagation: str
) -> None:
    bind = BindMount(source=str(spreading), destination="/there", propagation=propagation)
    zone = await rig.start("sleep", "100", binds=(bind,))
    _mount("-t", "tmpfs", "later", f"{spreading}/inside")
    (spreading / "inside/file").write_text("later")
    assert await rig.ask(zone, "cat", "/there/inside/file") == (0, "later")


@pytest.mark.parametrize(
    ("propagation", "why"), [("rshared", "it is not a shared mount"), ("slave", "it is not a shared or slave mount")]
)
async def test_mounts_cannot_spread_from_a_private_one(rig: Rig, spreading: Path, propagation: str, why: str) -> None:
    _mount("--make-private", str(spreading))
    bind = BindMount(source=f"{spreading}/inside", destination="/there", propagation=propagation)
    with pytest.raises(InvalidParameter, match=f"path {bind.source} is mounted on {spreading} but {why}"):
        await rig.run("true", binds=(bind,))


async def test_mounts_inside_come_along_with_their_owners(rig: Rig, shared: Path) -> None:
    bind = BindMount(source=str(shared), destination="/shared")
    command = "cat /shared/inside/deep; stat -c :%u /shared/inside/deep; touch /shared/inside/made"
    assert await rig.run("sh", "-c", command, binds=(bind,)) == (0, "deep:0\n")
    assert (shared / "inside/made").stat().st_uid == 0


async def test_a_bind_that_is_not_recursive_leaves_mounts_inside_out(rig: Rig, shared: Path) -> None:
    bind = BindMount(source=str(shared), destination="/shared", recursive=False)
    assert (await rig.run("cat", "/shared/inside/deep", binds=(bind,)))[0] == 1


async def test_a_read_only_bind_cannot_be_written(rig: Rig, shared: Path) -> None:
    bind = BindMount(source=str(shared), destination="/shared", readonly=True)
    code, output = await rig.run("touch", "/shared/made", "/shared/inside/made", binds=(bind,))
    assert code == 1
    assert output.count("Read-only file system") == 2


async def test_read_only_need_not_go_to_the_leaves(rig: Rig, shared: Path) -> None:
    inner = mounts.new("tmpfs", [("mode", "0777")])
    mounts.place(inner, str(shared / "inside"))
    os.close(inner)
    try:
        bind = BindMount(source=str(shared), destination="/shared", readonly=True, recursive_readonly=False)
        code, output = await rig.run("touch", "/shared/inside/made", "/shared/made", binds=(bind,))
        assert (code, output.count("Read-only file system")) == (1, 1)
        assert (shared / "inside/made").exists()
    finally:
        mounts.detach(str(shared / "inside"))


async def test_a_file_can_be_bound(rig: Rig, shared: Path) -> None:
    bind = BindMount(source=str(shared / "file"), destination="/etc/deep/file")
    assert await rig.run("cat", "/etc/deep/file", binds=(bind,)) == (0, "from the host")


async def test_a_subpath_does_not_lead_out(rig: Rig, shared: Path) -> None:
    inside = BindMount(source=str(shared), destination="/b", subpath="inside/deep")
    assert (await rig.run("cat", "/b", binds=(inside,)))[1] == "deep"
    escapes = f"^path concatenation escapes the base directory, base: {shared}, subpath: link$"
    with pytest.raises(InvalidParameter, match=escapes):
        await rig.run("cat", "/b", binds=(BindMount(source=str(shared), destination="/b", subpath="link"),))
    for away in ("inside/none", "file/none"):
        with pytest.raises(NotFound, match=f"^cannot access path {shared}/{away}: no"):
            await rig.run("cat", "/b", binds=(BindMount(source=str(shared), destination="/b", subpath=away),))


async def test_what_cannot_be_idmapped_is_bound_all_the_same(rig: Rig) -> None:
    bind = BindMount(source="/proc", destination="/host/proc", readonly=True)
    assert (await rig.run("sh", "-c", "cat /host/proc/1/comm > /dev/null", binds=(bind,))) == (0, "")


async def test_a_missing_source_fails_in_dockers_words_and_leaves_nothing(rig: Rig) -> None:
    with pytest.raises(InvalidParameter) as raised:
        await rig.run("true", binds=(BindMount(source="/no/such", destination="/x"),))
    assert str(raised.value) == 'invalid mount config for type "bind": bind source path does not exist: /no/such'
    assert rig.groups() == rig.folders() == []


async def test_a_shared_mount_of_a_zone_reaches_the_host(rig: Rig, shared: Path) -> None:
    bind = BindMount(source=str(shared), destination="/shared", propagation="rshared")
    own = mounts.clone(str(shared))
    mounts.change(own, propagation=mounts.SHARED)
    mounts.place(own, str(shared))
    os.close(own)
    try:
        command = "mount -t tmpfs none /shared/inside && touch /shared/inside/from-the-zone"
        host_ids = Namespaces(user="host")
        capable = ("CAP_SYS_ADMIN",)
        assert await rig.run(
            "sh", "-c", command, binds=(bind,), namespaces=host_ids, capabilities=capable, seccomp=None
        ) == (0, "")
        assert (shared / "inside/from-the-zone").exists()
    finally:
        if os.path.ismount(shared / "inside"):
            mounts.detach(str(shared / "inside"))
        mounts.detach(str(shared))


async def test_an_image_can_be_seen_as_a_folder(rig: Rig, busybox_root: Path) -> None:
    image = ImageMount(layers=(str(busybox_root),), destination="/image", subpath="etc")
    code, output = await rig.run("sh", "-c", "stat -c %u /image/passwd; touch /image/made", images=(image,))
    assert (code, output.splitlines()[0]) == (1, "0")
    assert "Read-only file system" in output
    missing = ImageMount(layers=(str(busybox_root),), destination="/image", subpath="etc/none")
    with pytest.raises(NotFound, match=r"^cannot access path etc/none: no such file or directory"):
        await rig.run("true", images=(missing,))


async def test_a_device_that_was_given_is_there(rig: Rig) -> None:
    given = Device(source="/dev/urandom", destination="/dev/noise", permissions="r")
    code, output = await rig.run("dd", "if=/dev/noise", "of=/dev/null", "bs=1", "count=3", devices=(given,))
    assert (code, output.splitlines()[0]) == (0, "3+0 records in")
