"""The suite of the build files port, with the pool of layers that it fills. Needs root: it mounts overlays."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from zonehost.drivers.builds.folder import BuildFolder
from zonehost.drivers.layers.pool import LayerPool
from zonehost.errors import InvalidParameter
from zonehost.linux.forkserver import ForkServer
from zonehost.ports.build_files import Placement, Selection
from zonehost.web import WebClient

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")

Tree = dict[str, object]


class Bench:
    """A build with its files, and a pool of layers."""

    def __init__(self, root: Path, forks: ForkServer) -> None:
        self.files = BuildFolder(str(root / "builds"), str(root / "memory"), forks, WebClient("test"))
        self.pool = LayerPool(str(root / "layers"), forks)

    async def layer(self, *members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> str:
        return (await self.pool.unpack(once(archive(*members)))).diff_id

    async def copy(self, selection: Selection, destination: str, *base: str, **placement: object) -> Tree:
        """Copy; what the new layer holds, by path."""
        place = Placement(base=self.pool.stack(base), destination=destination, **placement)  # type: ignore[arg-type]
        layer = await self.pool.unpack(self.files.copy("b", selection, place))
        return tree(Path(self.pool.path(layer.diff_id)))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    forks = ForkServer()
    found = Bench(tmp_path, forks)
    await found.files.survey()
    await found.pool.survey()
    yield found
    await forks.close()


def file(
    name: str, data: bytes = b"x", mode: int = 0o644, uid: int = 0, mtime: int = 1000
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.uid, info.gid, info.mtime = len(data), mode, uid, uid, mtime
    return info, data


def folder(name: str, mode: int = 0o755, uid: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.uid, info.gid, info.mtime = tarfile.DIRTYPE, mode, uid, uid, 1000
    return info


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, 0o777
    return info


def archive(*members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes], mode: str = "w") -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as tar:  # type: ignore[call-overload]
        for member in members:
            info, content = member if isinstance(member, tuple) else (member, b"")
            tar.addfile(info, io.BytesIO(content))
    return data.getvalue()


async def once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def tree(root: Path) -> Tree:
    """Files as text, links as their target after an arrow, directories as their mode."""
    found: Tree = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_dir():
            found[name + "/"] = f"{path.stat().st_mode & 0o7777:o}"
        else:
            found[name] = path.read_bytes().decode()
    return found


async def received(bench: Bench, *members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes], mode: str = "w") -> None:
    await bench.files.receive("b", once(archive(*members, mode=mode)))


def files_of(found: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in found.items() if not name.endswith("/")}


def paths(*names: str, ignore: tuple[str, ...] = (), exclude: tuple[str, ...] = (), parents: bool = False) -> Selection:
    return Selection(paths=names, ignore=ignore, exclude=exclude, parents=parents)


CONTEXT = (
    folder("."),
    file("a.txt", b"a"),
    file("b.md", b"b"),
    folder("src", 0o750),
    file("src/main.py", b"main"),
    folder("src/deep"),
    file("src/deep/x.py", b"deep"),
    link("ln", "src/main.py"),
    file("no/parent.txt", b"np"),
)


@pytest.mark.parametrize(
    ("sources", "destination", "expected"),
    [
        (("a.txt",), "/x", {"x": "a"}),
        (("a.txt",), "/d/", {"d/": "755", "d/a.txt": "a"}),
        (("a.txt", "b.md"), "/d/", {"d/": "755", "d/a.txt": "a", "d/b.md": "b"}),
        (("src",), "/d", {"d/": "750", "d/main.py": "main", "d/deep/": "755", "d/deep/x.py": "deep"}),
        (("src/deep/",), "/d/e", {"d/": "755", "d/e/": "755", "d/e/x.py": "deep"}),
        (("*.md",), "/x", {"x": "b"}),
        (("?.*",), "/d/", {"d/": "755", "d/a.txt": "a", "d/b.md": "b"}),
        (("s*/m*.py",), "/d/", {"d/": "755", "d/main.py": "main"}),
        (("ln",), "/x", {"x": "main"}),
        (("/a.txt",), "/x", {"x": "a"}),
        (("../../a.txt",), "/x", {"x": "a"}),
        (("no/parent.txt",), "/x", {"x": "np"}),
    ],
)  # fmt: skip
async def test_copies_as_docker(bench: Bench, sources: tuple[str, ...], destination: str, expected: Tree) -> None:
    await received(bench, *CONTEXT)
    assert await bench.copy(paths(*sources), destination) == expected


async def test_the_whole_context_with_links_kept(bench: Bench) -> None:
    await received(bench, *CONTEXT, mode="w:gz")
    found = await bench.copy(paths("."), "/app")
    assert found["app/ln"] == "-> src/main.py"
    assert len(files_of(found)) == 6


async def test_ignore_and_exclude(bench: Bench) -> None:
    await received(bench, *CONTEXT)
    ignore = ("src", "!src/deep/x.py", "*.md")
    assert files_of(await bench.copy(paths(".", ignore=ignore), "/")) == {
        "a.txt": "a", "src/deep/x.py": "deep", "ln": "-> src/main.py", "no/parent.txt": "np",
    }  # fmt: skip
    assert files_of(await bench.copy(paths(".", exclude=("**/*.py", "ln")), "/")) == {
        "a.txt": "a", "b.md": "b", "no/parent.txt": "np",
    }  # fmt: skip
    with pytest.raises(InvalidParameter, match=r"\.dockerignore: stat src/main\.py: file does not exist"):
        await bench.copy(paths("src/main.py", ignore=ignore), "/x")


async def test_parents(bench: Bench) -> None:
    await received(bench, *CONTEXT)
    found = await bench.copy(paths("src/deep/x.py", "a.txt", parents=True), "/d/")
    assert found == {"d/": "755", "d/src/": "750", "d/src/deep/": "755", "d/src/deep/x.py": "deep", "d/a.txt": "a"}
    pivot = await bench.copy(paths("src/./deep/*.py", parents=True), "/d/")
    assert files_of(pivot) == {"d/deep/x.py": "deep"}
    for pattern, expected in (
        ("**/*.py", {"d/src/main.py": "main", "d/src/deep/x.py": "deep"}),
        ("src/**/x.py", {"d/src/deep/x.py": "deep"}),
        ("src/./**", {"d/main.py": "main", "d/deep/x.py": "deep"}),
        ("**/deep", {"d/src/deep/x.py": "deep"}),
        ("**/a.txt", {"d/a.txt": "a"}),
    ):
        assert files_of(await bench.copy(paths(pattern, parents=True), "/d/")) == expected, pattern


async def test_what_is_not_there(bench: Bench) -> None:
    await received(bench, *CONTEXT)
    for source in ("nope", "a.txt/b", "src/nope"):
        with pytest.raises(InvalidParameter, match="file does not exist"):
            await bench.copy(paths(source), "/x")
    with pytest.raises(InvalidParameter, match="no source files were specified"):
        await bench.copy(paths("*.nope"), "/d/")


async def test_directories_of_the_base_stay_as_they_are(bench: Bench) -> None:
    await received(bench, *CONTEXT)
    base = await bench.layer(folder("usr", 0o711), folder("usr/bin", 0o700), link("bin", "usr/bin"), file("f"))
    assert await bench.copy(paths("a.txt"), "/bin/", base) == {"usr/": "711", "usr/bin/": "700", "usr/bin/a.txt": "a"}
    assert await bench.copy(paths("a.txt"), "/bin", base) == {"usr/": "711", "usr/bin/": "700", "usr/bin/a.txt": "a"}
    assert (await bench.copy(paths("src"), "/usr", base))["usr/"] == "711"
    assert await bench.copy(paths("a.txt"), "/f", base) == {"f": "a"}
    with pytest.raises(InvalidParameter, match="cannot copy to non-directory: /f"):
        await bench.copy(paths("a.txt"), "/f/", base)
    with pytest.raises(InvalidParameter, match="cannot copy to non-directory: /f"):
        await bench.copy(paths("src"), "/f", base)
    assert await bench.copy(paths("a.txt"), "/bin/", base, link=True) == {"bin/": "755", "bin/a.txt": "a"}


async def test_a_link_to_nothing_leads_below_the_root(bench: Bench) -> None:
    await received(bench, *CONTEXT)
    base = await bench.layer(link("out", "/../../new/place"), link("round", "round"))
    made = {"new/": "755", "new/place/": "755", "new/place/a.txt": "a"}
    assert await bench.copy(paths("a.txt"), "/out/", base) == made
    with pytest.raises(InvalidParameter, match="cannot copy to non-directory: /round"):
        await bench.copy(paths("a.txt"), "/round/", base)


async def test_a_file_cannot_take_a_directorys_place(bench: Bench) -> None:
    await received(bench, folder("d"), file("d/usr"))
    base = await bench.layer(folder("usr"))
    with pytest.raises(InvalidParameter, match="cannot overwrite directory /usr"):
        await bench.copy(paths("d"), "/", base)


async def test_owners_and_modes(bench: Bench) -> None:
    await received(bench, folder("d", 0o700, 7), file("d/run", mode=0o755, uid=7), file("d/data", mode=0o600, uid=7))
    passwd, group = (
        file("etc/passwd", b"root:x:0:0::/:\nada:x:55:66::/:\neve:x:" + b"9" * 5000 + b":1::/:\n"),
        file("etc/group", b"staff:x:50:\n"),
    )
    base = await bench.layer(folder("etc"), passwd, group)

    async def copied(**placement: object) -> dict[str, tuple[int, int, str]]:
        place = Placement(base=bench.pool.stack((base,)), destination="/t/", **placement)  # type: ignore[arg-type]
        layer = await bench.pool.unpack(bench.files.copy("b", paths("d"), place))
        root = Path(bench.pool.path(layer.diff_id)) / "t"
        return {
            path.name: (path.stat().st_uid, path.stat().st_gid, f"{path.stat().st_mode & 0o7777:o}")
            for path in sorted((root, *root.iterdir()))
        }

    assert await copied() == {"t": (0, 0, "700"), "data": (0, 0, "600"), "run": (0, 0, "755")}
    assert (await copied(owner="ada"))["data"][:2] == (55, 66)
    assert (await copied(owner="ada:staff"))["t"][:2] == (55, 50)
    assert (await copied(owner="7"))["data"][:2] == (7, 7)
    assert (await copied(owner=["7", "ada", "staff"][0] + ":9"))["data"][:2] == (7, 9)
    assert (await copied(mode="640"))["run"][2] == "640"
    assert {name: found[2] for name, found in (await copied(mode="u=rwX,go=rX")).items()} == {
        "t": "755", "data": "644", "run": "755",
    }  # fmt: skip
    for owner in ("nobody", "ada:nogroup", "eve", "9" * 5000, f"1:{1 << 32}"):
        with pytest.raises(InvalidParameter, match=r"can't find [ug]id for"):
            await copied(owner=owner)


async def test_copies_from_layers_keep_owners_and_hard_links(bench: Bench) -> None:
    lower = await bench.layer(folder("o"), file("o/gone"), file("o/one", b"1", uid=9), link("l", "o/one"))
    upper = await bench.layer(file("o/.wh.gone", b""), link("o/two", "o/one", tarfile.LNKTYPE))
    await bench.pool.settle((lower, upper))
    trees = bench.pool.stack((lower, upper))
    place = Placement(base=(), destination="/t/")
    layer = await bench.pool.unpack(bench.files.copy("b", Selection(trees=trees, paths=("/o", "l")), place))
    root = Path(bench.pool.path(layer.diff_id)) / "t"
    assert sorted(path.name for path in root.iterdir()) == ["l", "one", "two"]
    assert (root / "one").stat().st_uid == 9
    assert (root / "one").stat().st_ino == (root / "two").stat().st_ino
    assert (root / "l").read_text() == "1"
    excluded = Selection(trees=trees, paths=("/o",), exclude=("one",))
    alone = await bench.pool.unpack(bench.files.copy("b", excluded, place))
    assert tree(Path(bench.pool.path(alone.diff_id))) == {"t/": "755", "t/two": "1"}


async def test_archives_are_unpacked_when_asked(bench: Bench) -> None:
    inner = archive(folder("in", 0o700), file("in/f", b"f", uid=3), link("in/h", "in/f", tarfile.LNKTYPE), mode="w:xz")
    await received(bench, file("a.bin", inner), file("plain.tar", b"not a tar"), file("text.gz", b"\x1f\x8bno"))
    assert await bench.copy(paths("a.bin"), "/d", unpack=True) == {
        "d/": "755", "d/in/": "700", "d/in/f": "f", "d/in/h": "f",
    }  # fmt: skip
    assert list(await bench.copy(paths("plain.tar"), "/d/", unpack=True)) == ["d/", "d/plain.tar"]


async def test_digests_change_with_what_is_copied_and_nothing_else(bench: Bench) -> None:
    async def digest(*members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes], what: Selection | None = None) -> str:
        await bench.files.discard("b")
        await received(bench, *members)
        return await bench.files.digest("b", what or paths("d"))

    same = await digest(folder("d"), file("d/f", b"1"))
    assert await digest(folder("d"), file("d/f", b"1", mtime=5, uid=8)) == same
    assert await digest(folder("d"), file("d/f", b"1"), file("other")) == same
    different = {
        same,
        await digest(folder("d"), file("d/f", b"2")),
        await digest(folder("d"), file("d/g", b"1")),
        await digest(folder("d"), file("d/f", b"1", mode=0o600)),
        await digest(folder("d", 0o700), file("d/f", b"1")),
        await digest(folder("d"), file("d/f", b"1"), folder("d/e")),
        await digest(folder("d"), link("d/f", "1")),
        await digest(folder("d"), file("d/f", b"1"), what=paths("d/f")),
        await digest(folder("d"), file("d/f", b"1"), what=paths("d", parents=True)),
    }
    assert len(different) == 9


async def test_a_folder_is_made_only_if_it_is_missing(bench: Bench) -> None:
    base = await bench.layer(folder("a", 0o700), link("l", "a"))
    stack = bench.pool.stack((base,))
    assert await bench.files.make_folder(stack, "/a", None) is None
    assert await bench.files.make_folder(stack, "/l", None) is None
    made = await bench.files.make_folder(stack, "/l/b/c", None)
    assert made is not None
    layer = await bench.pool.unpack(once(made))
    assert tree(Path(bench.pool.path(layer.diff_id))) == {"a/": "700", "a/b/": "755", "a/b/c/": "755"}


async def test_an_epoch_bounds_times(bench: Bench) -> None:
    await received(bench, file("old", mtime=5), file("new", mtime=50))
    place = Placement(base=(), destination="/", epoch=10)
    layer = await bench.pool.unpack(bench.files.copy("b", paths("."), place))
    root = Path(bench.pool.path(layer.diff_id))
    assert [int((root / name).stat().st_mtime) for name in ("old", "new")] == [5, 10]


async def test_small_files_are_read_and_contexts_go(bench: Bench) -> None:
    await received(bench, *CONTEXT)
    assert await bench.files.read("b", "ln", "src", "nope") == {"ln": b"main"}
    place = await bench.files.context_path("b", ("src",), "/")
    assert sorted(path.name for path in Path(place).iterdir()) == ["a.txt", "b.md", "ln", "no"]
    cache = await bench.files.cache_folder("b", "id", 0o750, 5, 6)
    assert await bench.files.survey() == {"b"}
    await bench.files.discard("b")
    await bench.files.discard("b")
    assert await bench.files.survey() == frozenset()
    assert (Path(cache).stat().st_uid, Path(cache).stat().st_mode & 0o7777) == (5, 0o750)


@pytest.mark.parametrize("data", [b"", b"not a tar" * 100, archive(file("a", b"x" * 2000))[:1500]])
async def test_what_is_no_context_is_refused(bench: Bench, data: bytes) -> None:
    if data:
        with pytest.raises(InvalidParameter):
            await bench.files.receive("b", once(data))
    else:
        await bench.files.receive("b", once(data))
        assert await bench.files.read("b", "Dockerfile") == {}


async def test_a_context_cannot_lead_out(bench: Bench) -> None:
    await received(bench, link("out", "/etc"), link("up", "../../../etc/passwd"))
    for source in ("out/passwd", "up"):
        with pytest.raises(InvalidParameter, match="does not exist"):
            await bench.copy(paths(source), "/x")
    await bench.files.discard("b")
    with pytest.raises(InvalidParameter, match="leads out"):
        await received(bench, file("../../evil"))


async def test_a_mounted_path_of_the_context_cannot_lead_out(bench: Bench) -> None:
    await received(bench, link("out", "/etc/passwd"), folder("d"), file("d/f"), link("in", "/d"))
    assert (await bench.files.context_path("b", (), "in")).endswith("/context/d")
    with pytest.raises(InvalidParameter, match="not in the build context"):
        await bench.files.context_path("b", (), "out")


async def test_mount_points_are_taken_out_of_what_a_command_wrote(bench: Bench, tmp_path: Path) -> None:
    upper = tmp_path / "upper"
    for name in ("etc", "proc", "dev/pts", "cache/pip", "own/dir"):
        (upper / name).mkdir(parents=True)
    (upper / "etc/hosts").touch()
    (upper / "etc/kept").touch()
    await bench.files.tidy(str(upper), ("/etc/hosts", "/cache/pip", "/own", "/nowhere/x"))
    assert sorted(tree(upper)) == ["cache/", "etc/", "etc/kept", "own/", "own/dir/"]


async def test_a_layer_may_come_twice_in_a_stack(bench: Bench) -> None:
    one = await bench.layer(file("same", b"1"), file("kept"))
    other = await bench.layer(file("same", b"2"), file(".wh.kept", b""))
    twice = Selection(trees=bench.pool.stack((one, other, one)), paths=("/",))
    layer = await bench.pool.unpack(bench.files.copy("b", twice, Placement(base=(), destination="/t/")))
    assert files_of(tree(Path(bench.pool.path(layer.diff_id)))) == {"t/same": "1", "t/kept": "x"}


async def test_an_archive_laid_out_goes_with_the_build_and_a_cache_that_begins_with_one_stays(bench: Bench) -> None:
    await received(bench)
    data = archive(folder("d", 0o750, 7), file("d/f", b"content", 0o640, 7), link("d/l", "f"))
    place = Path(await bench.files.lay_out("b", once(data)))
    assert (place / "d/f").read_bytes() == b"content"
    assert ((place / "d/f").stat().st_uid, (place / "d").stat().st_mode & 0o7777) == (7, 0o750)
    assert (place / "d/l").readlink() == Path("f")
    cache = Path(await bench.files.cache_folder("b", "id", 0o700, 5, 6, once(data)))
    assert (cache / "d/f").read_bytes() == b"content"
    assert (cache.stat().st_uid, cache.stat().st_mode & 0o7777) == (5, 0o700)
    (cache / "d/f").unlink()
    again = await bench.files.cache_folder("b", "id", 0o700, 5, 6, once(data))
    assert (again, list((cache / "d").iterdir())) == (str(cache), [cache / "d/l"])
    await bench.files.discard("b")
    assert cache.exists()
    assert not place.exists()


async def test_secrets_and_sockets_are_in_memory_and_go_with_the_build(bench: Bench, tmp_path: Path) -> None:
    await received(bench)
    path = Path(await bench.files.conceal("b", b"secret", 0o440, 5, 6))
    assert path.is_relative_to(tmp_path / "memory")
    assert (path.read_bytes(), path.stat().st_mode & 0o7777, path.stat().st_uid) == (b"secret", 0o440, 5)
    place = Path(await bench.files.socket("b"))
    assert not place.exists()
    assert place.parent.stat().st_mode & 0o777 == 0o700
    await bench.files.discard("b")
    assert not path.parent.exists()
