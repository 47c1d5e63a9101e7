"""The named points between the steps of an operation, the work that comes by them, and archives to work with.

The points are read from the sources, so that none is forgotten.
"""

from __future__ import annotations

import io
import random
import re
import tarfile
from itertools import cycle
from pathlib import Path

SOURCES = Path(__file__).parents[3] / "src" / "zonehost"
VARIABLE = "ZONEHOST_FAILPOINT"
MOMENT = 10.0
"""Seconds after which a daemon whose work is done has passed the point by."""

PREPARED = (
    ("network", "create", "net"),
    ("volume", "create", "old"),
    ("run", "-d", "--name", "up", "-v", "old:/old", "busybox", "sleep", "3600"),
)
"""What is there before, and must be there afterwards."""

WORK: dict[str, tuple[tuple[str, ...], ...]] = {
    "create": (("create", "--name", "new", "-v", "made:/etc", "-v", "/anonymous", "busybox", "true"),),
    "start": (("run", "-d", "--name", "new", "-p", "80", "busybox", "sleep", "3600"),),
    "exec": (("exec", "up", "true"),),
    "exit": (("run", "--rm", "--name", "new", "busybox", "sh", "-c", "exit 3"),),
    "stop": (("stop", "-t", "0", "up"), ("start", "up")),
    "commit": (("commit", "up", "made"),),
    "build": (("build", "--no-cache", "-q", "-t", "built", "{context}"),),
    "image": (("commit", "up", "made"), ("rmi", "made")),
    "load": (("load", "-i", "{image}"),),
    "import": (("import", "{tree}", "made"),),
    "remove": (("create", "--name", "new", "-v", "/anonymous", "busybox"), ("rm", "-v", "new")),
    "discard": (("create", "--name", "new", "-v", "/anonymous", "busybox"), ("rm", "-v", "new")),
    "network": (("network", "create", "other"), ("network", "rm", "other")),
    "connect": (("network", "connect", "net", "up"),),
    "disconnect": (("network", "connect", "net", "up"), ("network", "disconnect", "net", "up")),
    "volume": (("volume", "create", "other"), ("volume", "rm", "other")),
    "base": (("volume", "create", "-o", "from-image=busybox:{folder}", "other"),),
    "recovery": (),
}
"""By the first word of a point's name, what comes by it. `{tree}` is an archive of files, `{image}` one of an image,
`{context}` a folder with a Dockerfile, `{folder}` one that busybox has."""

_FOLDERS = cycle(("/bin", "/etc"))
"""What an image has in a folder is laid out once for all volumes: the next who comes by that takes another folder."""

ELSEWHERE = frozenset({"pull", "push", "snapshot", "rollback", "clone", "receive"})
"""Kinds of points that other tests here come by."""


def archive(number: int, **others: bytes) -> bytes:
    """A layer, or the context of a build: a file of 32 KiB that no other number has, and others by name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in {"file": random.Random(number).randbytes(32 << 10), **others}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def kinds() -> set[str]:
    """The kinds of all points in the sources."""
    return {kind(name) for name in _named()}


def points(*, every: bool) -> list[str]:
    """The names of the points of the kinds of work above; without `every`, one of each kind."""
    known = sorted(name for name in _named() if kind(name) in WORK)
    return known if every else list({kind(name): name for name in known}.values())


def kind(point: str) -> str:
    """What work comes by the point."""
    return point.partition(".")[0]


def commands(point: str, archives: Path) -> list[list[str]]:
    """The words of `docker` that come by the point; `archives` holds `tree.tar`, `image.tar` and `context`."""
    places = {"{tree}": "tree.tar", "{image}": "image.tar", "{context}": "context"}
    folder = next(_FOLDERS)
    return [
        [str(archives / places[word]) if word in places else word.replace("{folder}", folder) for word in words]
        for words in WORK[kind(point)]
    ]


def _named() -> set[str]:
    call = re.compile(r"\bfailpoint\(\"([a-z.-]+)\"\)")
    return {name for path in SOURCES.rglob("*.py") for name in call.findall(path.read_text())}
