"""One daemon an instance: the folders that are its own, and the lock that says it runs."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from zonehost.domain.identity import new_id
from zonehost.errors import Conflict, SystemFailure


def make_roots(data_root: Path, run_root: Path) -> None:
    """Make the two folders; others may pass through them, and see nothing.

    Raises:
        SystemFailure: one cannot be made.
    """
    for folder in (data_root, run_root):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o711)
        except OSError as error:
            raise SystemFailure(f"cannot make {folder}: {error.strerror}") from error


def lock(data_root: Path, run_root: Path) -> tuple[int, ...]:
    """Hold both folders for as long as this process lives; the descriptors must stay open.

    Raises:
        Conflict: another daemon has one of them.
    """
    held = []
    for folder in (data_root, run_root):
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        held.append(descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            for taken in held:
                os.close(taken)
            raise Conflict(
                f"another daemon uses {folder}: stop it, or give this one a --data-root, a --run-root and a --name "
                "of its own"
            ) from None
    return tuple(held)


def lasting_id(data_root: Path) -> str:
    """The id of this host, made at its first start."""
    place = data_root / "id"
    try:
        return place.read_text().strip()
    except FileNotFoundError:
        draft = data_root / "id.new"
        draft.write_text(f"{new_id()}\n")
        draft.rename(place)
        return place.read_text().strip()
