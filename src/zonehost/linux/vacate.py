"""Room for a file or a socket of our own, whatever somebody put in its place."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def vacate(path: str | os.PathLike[str]) -> None:
    """Remove what is there, a folder with all that is in it. Idempotent.

    Raises:
        OSError: it cannot be removed.
    """
    try:
        Path(path).unlink()
    except FileNotFoundError:
        return
    except IsADirectoryError:  # unlink(2) on Linux, where POSIX has EPERM
        shutil.rmtree(path)
