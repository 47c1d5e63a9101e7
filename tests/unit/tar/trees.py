"""Random file trees, and what a tree holds as a value that can be compared."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path

ROOT = os.geteuid() == 0
SECOND = 1_000_000_000
_STEMS = (b"file", "größe".encode(), b"bad\xff\xfename", b"with space", b"n" * 98, b"l" * 180, b"new\nline")
_TARGETS = (b"/etc/passwd", b"../" * 9 + b"x", b"gone", b"a/" * 60 + b"b", b"\xff\xfe")
_TIMES = (0, 1, 1_700_000_000 * SECOND + 123_456_789, 5_000_000_000 * SECOND, -1_500_000_000)


def grow(root: Path, seed: int, *, files: int = 40) -> None:
    """Make a directory with files of every kind that this user may make; the same seed gives the same tree."""
    root.mkdir()
    chance = random.Random(seed)
    folders = [root]
    regular: list[Path] = []
    for number in range(files):
        path = chance.choice(folders) / os.fsdecode(b"%s-%d" % (chance.choice(_STEMS), number))
        kind = chance.choice(("file", "file", "file", "folder", "folder", "link", "hard", "sparse", "fifo", "device"))
        if kind == "folder":
            path.mkdir()
            folders.append(path)
        elif kind == "link":
            path.symlink_to(os.fsdecode(chance.choice(_TARGETS)))
        elif kind == "hard" and regular:
            path.hardlink_to(chance.choice(regular))
        elif kind == "sparse":
            _make_sparse(path, chance)
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind == "device" and ROOT:
            os.mknod(path, stat.S_IFCHR | 0o620, os.makedev(chance.randrange(1, 255), chance.randrange(70_000)))
        else:
            path.write_bytes(chance.randbytes(chance.choice((0, 1, 511, 512, 513, 70_000))))
            regular.append(path)
    for path in sorted(root.rglob("*"), reverse=True):
        _dress(path, chance)
    _dress(root, chance)


def picture(root: Path) -> dict[str, tuple[object, ...]]:
    """Everything that an archive keeps of a tree: by relative path, metadata and content; hard links by their group."""
    groups: dict[int, str] = {}
    return {str(path.relative_to(root)): _portrait(path, groups) for path in (root, *sorted(root.rglob("*")))}


def _portrait(path: Path, groups: dict[int, str]) -> tuple[object, ...]:
    status = path.lstat()
    content: object = None
    if stat.S_ISREG(status.st_mode):
        content = path.read_bytes()
    elif stat.S_ISLNK(status.st_mode):
        content = str(path.readlink())
    group = None
    if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
        group = groups.setdefault(status.st_ino, path.name)
    xattrs = {
        name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)
    }
    return (status.st_mode, status.st_uid, status.st_gid, status.st_rdev, status.st_mtime_ns, content, group, xattrs)


def _make_sparse(path: Path, chance: random.Random) -> None:
    with path.open("wb") as file:
        for _ in range(chance.choice((0, 1, 5, 30))):
            file.seek(chance.randrange(0, 3_000_000) // 4096 * 4096)
            file.write(chance.randbytes(4096))
        file.truncate(3_200_000)


def _dress(path: Path, chance: random.Random) -> None:
    if ROOT:
        os.lchown(path, chance.choice((0, 1000, 70_000, 3_000_000)), chance.choice((0, 5, 2_500_000)))
    if not path.is_symlink():
        path.chmod(chance.choice((0o644, 0o755, 0o700, 0o4755, 0o2775, 0o1777)))
        if path.is_file() and chance.random() < 0.3:
            os.setxattr(path, "user.colour", chance.randbytes(20) + b"\n=\0")
    time = chance.choice(_TIMES)
    os.utime(path, ns=(time, time), follow_symlinks=False)
