"""Where a dataset is: in the folder of its kind, by its name alone."""

from __future__ import annotations

from pathlib import Path

from zonehost.errors import SystemFailure


def place(folder: Path, name: str) -> Path:
    """The dataset's own folder.

    Raises:
        SystemFailure: the name would lead elsewhere, where everything might be made and removed.
    """
    if name in ("", ".", "..") or "/" in name:
        raise SystemFailure(f'"{name}" is no name of a dataset')
    return folder / name
