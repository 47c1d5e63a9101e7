"""What the rows of storage run in containers: the machine's own programs, on volumes of the engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.engines.engine import Engine

SHARE: Final = float(os.environ.get("BENCH_SHARE", "1"))
"""The part of the full sizes that the rows of storage are measured with; only figures of full sizes are kept."""
GB: Final = 10 * SHARE
"""How large a large dataset is; half of it are small files."""
FILES: Final = int(100_000 * SHARE)
NAME: Final = "guest"
VOLUME: Final = f"{NAME}-data"
PIECE: Final = 100_000_000
"""Bytes of each of the large files of a large dataset."""
_FOLDERS: Final = ("/usr", "/lib", "/lib64", "/etc/passwd", "/etc/group")
PROGRAMS: Final = [
    word for folder in _FOLDERS if Path(folder).exists() for word in ("--volume", f"{folder}:{folder}:ro")
]
_PATH: Final = "export PATH=/usr/bin:/usr/sbin:/bin:$(echo /usr/lib/postgresql/*/bin); "
_FILL: Final = """
mkdir -p /data
python3 - <<END
import os
os.chdir("/data")
piece = os.urandom({piece})
for number in range({pieces}):
    with open(f"large{{number}}", "wb") as file:
        file.write(piece)
for folder in range({folders}):
    os.mkdir(str(folder))
    for number in range(100):
        with open(f"{{folder}}/{{number}}", "wb") as file:
            file.write(piece[: {small}])
END
sync
"""


def fill_script(gigabytes: float, files: int) -> str:
    """A shell script that fills /data: half of the bytes in files of PIECE or less, half in so many small ones."""
    half = int(gigabytes * 500_000_000)
    piece = min(PIECE, half)
    return _FILL.format(piece=piece, pieces=half // piece, small=half // files, folders=files // 100)


def sh(engine: Engine, script: str, name: str = NAME, user: str = "0") -> str:
    """Run a shell script in a container, which must succeed; its output."""
    return engine.run("exec", "--user", user, name, "sh", "-ec", _PATH + script)


@contextmanager
def running(engine: Engine, *options: str, name: str = NAME) -> Iterator[None]:
    """A container that sleeps, with the programs and an empty volume `NAME-data` at /data."""
    words = ("run", "--detach", "--name", name, *PROGRAMS, "--volume", f"{name}-data:/data", *options)
    engine.run(*words, "busybox", "sleep", "86400")
    try:
        yield
    finally:
        engine.run("rm", "--force", "--volumes", name)
        engine.run("volume", "rm", f"{name}-data")
