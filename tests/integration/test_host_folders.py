"""Volumes that are folders of the host, by `type=none` and `o=bind`, as Compose files have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.rig import Daemon, Failed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "shared"
    made.mkdir()
    return made


def create(daemon: Daemon, *options: str, name: str = "data") -> str:
    return daemon.docker("volume", "create", *(word for option in options for word in ("-o", option)), name)


def bound(daemon: Daemon, folder: Path, how: str = "bind", name: str = "data") -> None:
    create(daemon, "type=none", f"o={how}", f"device={folder}", name=name)


def run(daemon: Daemon, *words: str) -> str:
    return daemon.docker("run", "--rm", "-v", "data:/data", "busybox", *words)


def test_both_sides_see_the_same_files_and_owners(daemon: Daemon, folder: Path) -> None:
    (folder / "file").write_text("from the host")
    bound(daemon, folder)
    assert run(daemon, "sh", "-c", "cat /data/file; echo mine > /data/made; chown 5:6 /data/made") == "from the host"
    made = folder / "made"
    assert (made.read_text(), made.stat().st_uid, made.stat().st_gid) == ("mine\n", 5, 6)
    daemon.docker("run", "-d", "--name", "keeper", "-v", "data:/data", "busybox", "sleep", "1000")
    [told] = json.loads(daemon.docker("inspect", "keeper"))
    [volume] = json.loads(daemon.docker("volume", "inspect", "data"))
    assert [(m["Type"], m["Name"], m["Source"]) for m in told["Mounts"]] == [("volume", "data", volume["Mountpoint"])]
    assert volume["Options"] == {"type": "none", "o": "bind", "device": str(folder)}
    daemon.docker("cp", "keeper:/data/made", str(folder.parent / "copied"))
    assert (folder.parent / "copied").read_text() == "mine\n"
    assert "volume is in use" in daemon.run("volume", "rm", "data").err
    daemon.docker("rm", "-f", "keeper")
    daemon.docker("volume", "rm", "data")
    assert sorted(file.name for file in folder.iterdir()) == ["file", "made"]


def test_an_empty_folder_gets_what_the_image_has(daemon: Daemon, folder: Path) -> None:
    bound(daemon, folder)
    daemon.docker("run", "--rm", "-v", "data:/etc", "busybox", "true")
    assert (folder / "passwd").read_text().startswith("root:")
    (folder / "passwd").unlink()
    daemon.docker("run", "--rm", "-v", "data:/etc", "busybox", "true")
    assert not (folder / "passwd").exists()


def test_mounts_inside_are_part_of_it_by_rbind(daemon: Daemon) -> None:
    """On every host there is a devpts(4) in /dev."""
    bound(daemon, Path("/dev"))
    assert run(daemon, "ls", "/data/pts") == ""
    daemon.docker("volume", "rm", "data")
    bound(daemon, Path("/dev"), "rbind")
    assert run(daemon, "ls", "/data/pts/ptmx") == "/data/pts/ptmx"


def test_it_can_be_read_only(daemon: Daemon, folder: Path) -> None:
    bound(daemon, folder, "bind,ro")
    assert "Read-only file system" in daemon.run("run", "--rm", "-v", "data:/data", "busybox", "touch", "/data/x").err
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_not_there(daemon: Daemon, folder: Path) -> None:
    bound(daemon, folder)
    daemon.docker("create", "--name", "made", "-v", "data:/data", "busybox", "true")
    folder.rmdir()
    why = f"failed to mount local volume: mount {folder}:"
    for words in (("start", "made"), ("create", "-v", "data:/data", "busybox")):
        failed = daemon.run(*words)
        assert failed.status != 0
        assert why in failed.err
        assert "flags: 0x1000: no such file or directory" in failed.err
    folder.touch()
    assert "not a directory" in daemon.run("start", "made").err
    assert daemon.docker("ps", "-aq").count("\n") == 0


def test_it_is_no_dataset(daemon: Daemon, folder: Path) -> None:
    bound(daemon, folder)
    with pytest.raises(Failed, match="volume data is a folder of the host and no dataset"):
        daemon.zonehost("snapshot", "create", "data@one")
    daemon.docker("run", "-d", "--name", "first", "-v", "data:/data", "busybox", "sleep", "1000")
    daemon.zonehost("snapshot", "create", "first@one")
    daemon.zonehost("clone", "first", "second")
    daemon.docker("start", "second")
    daemon.docker("exec", "second", "touch", "/data/of-both")
    daemon.docker("exec", "first", "ls", "/data/of-both")
    assert daemon.docker("volume", "ls", "-q") == "data"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("type=nfs", "o=addr=10.0.0.1,rw", "device=:/export"), 'type: "nfs" is not supported'),
        (("type=none", "o=bind,uid=5", "device=/srv"), 'volume option o: "uid=5" is not supported'),
        (("type=none", "o=bind"), 'missing required option: "device"'),
        (("o=bind", "device=/srv"), 'missing required option: "type"'),
        (("type=none", "o=bind", "device=srv"), "is no absolute path"),
        (("type=none", "o=bind", "device=/srv", "size=1G"), "volume option size: not with o=bind"),
    ],
)
def test_what_it_cannot_be(daemon: Daemon, options: tuple[str, ...], words: str) -> None:
    with pytest.raises(Failed, match=words):
        create(daemon, *options)
    assert daemon.docker("volume", "ls", "-q") == ""
