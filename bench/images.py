"""What the engines are given: a busybox image, a 2 GB tree and 500 MB of random bytes, the same for each engine."""

from __future__ import annotations

import functools
import io
import os
import random
import subprocess
import tarfile
import tempfile
from pathlib import Path

BUSYBOX = "/bin/busybox"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MEGABYTE = 1_000_000


@functools.cache
def scratch() -> Path:
    """A folder for the inputs; the bench removes it at its end."""
    return Path(tempfile.mkdtemp(prefix="zhb-inputs-", dir="/var/tmp"))


@functools.cache
def busybox_tree() -> Path:
    """A tar archive of a root filesystem with busybox and a link an applet."""
    path = scratch() / "busybox.tar"
    applets = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()
    with tarfile.open(path, "w") as archive:
        archive.add(BUSYBOX, "bin/busybox")
        for applet in applets:
            if applet != "busybox":
                archive.addfile(_link(f"bin/{applet}", "busybox"))
        for folder in ("dev", "etc", "proc", "sys", "tmp"):
            archive.addfile(_folder(folder))
        _add(archive, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
    return path


@functools.cache
def large_tree() -> Path:
    """A tar archive of 2 GB: 2,000 files of 1 MB, half of them random, half of them text that compresses well."""
    path = scratch() / "large.tar"
    source = random.Random(2)
    text = (b"A line of text that compresses as text does, more or less.\n" * (MEGABYTE // 58))[:MEGABYTE]
    with tarfile.open(path, "w") as archive:
        for number in range(2000):
            content = source.randbytes(MEGABYTE) if number % 2 else text
            _add(archive, f"data/{number % 40}/{number}", content)
    return path


@functools.cache
def random_bytes() -> Path:
    """A file of 500 MB of random bytes."""
    path = scratch() / "random"
    with path.open("wb") as file:
        for _ in range(500):
            file.write(os.urandom(MEGABYTE))
    return path


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _link(name: str, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


def _folder(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o755
    return member
