"""Files of proc(5) with names in them that are no text, or hold what Python takes for the end of a line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from zonehost.linux import proc_file
from zonehost.linux.cgroup import discover
from zonehost.linux.mounts import points_below

_NAMES = (b"\xff\xfe", b"a\x0cb", b"a\xc2\x85b", "a\u2028b".encode(), b"a\x1cb")


def mountinfo(folder: Path, name: bytes) -> str:
    path = folder / "mountinfo"
    (folder / "cgroup.controllers").touch()
    path.write_bytes(
        b"30 1 0:26 / /mnt/%s rw - tmpfs %s rw\n" % (name, name)
        + b"31 1 0:27 / /mnt/last rw - tmpfs none rw\n"
        + b"32 1 0:28 / %s rw - cgroup2 none rw\n" % bytes(folder)
    )
    return str(path)


@pytest.mark.parametrize("name", _NAMES)
def test_a_mount_with_any_name_hides_no_other(tmp_path: Path, name: bytes) -> None:
    table = mountinfo(tmp_path, name)
    assert points_below("/mnt", table)[1:] == ["/mnt/last"]
    assert discover(table).unified == str(tmp_path)


@pytest.mark.parametrize("name", _NAMES)
def test_a_process_may_have_any_name(name: bytes) -> None:
    script = f"import ctypes, sys; ctypes.CDLL(None).prctl(15, {name!r}); print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert len(proc_file.lines(f"/proc/{process.pid}/comm")) == 1
        found = [line for line in proc_file.lines(f"/proc/{process.pid}/status") if line.startswith("Name:")]
        assert found == [f"Name:\t{name.decode(errors='replace')}"]
        process.communicate()


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert proc_file.lines(str(tmp_path / "empty")) == []
