"""What the rows of storage run in containers: the machine's own programs, on volumes of the engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.engines.engine import Engine

GB: Final = float(os.environ.get("BENCH_GB", "2"))
"""How large the large ones are; the number of their files is in proportion, 10,000 a GB."""
FILES: Final = int(GB * 10_000)
NAME: Final = "guest"
VOLUME: Final = f"{NAME}-data"
_FOLDERS: Final = ("/usr", "/lib", "/lib64", "/etc/passwd", "/etc/group")
PROGRAMS: Final = [
    word for folder in _FOLDERS if Path(folder).exists() for word in ("--volume", f"{folder}:{folder}:ro")
]
_PATH: Final = "export PATH=/usr/bin:/usr/sbin:/bin:$(echo /usr/lib/postgresql/*/bin); "

# A third of a megabyte a file at 10,000 files a GB would be all files; half of the bytes are in one file.
FILL: Final = """
cd /data
dd if=/dev/urandom of=large bs=1M count={large} 2>/dev/null
head -c {small} /dev/urandom > /tmp/piece
n=0
while [ $n -lt {folders} ]; do
    mkdir folder$n
    m=0
    while [ $m -lt 100 ]; do cp /tmp/piece folder$n/$m; m=$((m + 1)); done
    n=$((n + 1))
done
rm /tmp/piece
sync
"""


def fill_script(gigabytes: float, files: int) -> str:
    """A shell script that fills /data: half of the bytes in one file, half in so many."""
    half = int(gigabytes * 500_000_000)
    return FILL.format(large=max(1, half // (1 << 20)), small=max(1, half // max(files, 1)), folders=files // 100)


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
