"""One daemon an instance: the folders and the name that are its own, and the locks that say it runs."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

from zonehost.domain.identity import looks_like_id, new_id
from zonehost.errors import Conflict, SystemFailure
from zonehost.linux.vacate import vacate

log = logging.getLogger(__name__)
_DIGITS: Final = 64
_NO_TEXT: Final = (FileNotFoundError, IsADirectoryError, UnicodeDecodeError)
_SOCKET_BYTES: Final = 108
"""unix(7), sun_path."""


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


def lock(data_root: Path, run_root: Path, name: str) -> tuple[int, ...]:
    """Hold the folders and the name for as long as this process lives; the descriptors must stay open.

    A daemon removes what the kernel has under its name and its records do not know: of two with one name, each would
    end the zones of the other.

    Raises:
        Conflict: another daemon has one of them.
    """
    held: list[int] = []
    try:
        for folder in (data_root, run_root):
            held.append(_lock_folder(folder))
        held.append(_lock_name(name))
    except BaseException:
        for taken in held:
            os.close(taken)
        raise
    return tuple(held)


def _lock_folder(folder: Path) -> int:
    place = folder / "lock"
    try:
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SystemFailure(f"cannot lock {place}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Conflict(
            f"another daemon uses {folder}: stop it, or give this one a --data-root, a --run-root and a --name "
            "of its own"
        ) from None
    return descriptor


def _lock_name(name: str) -> int:
    """An abstract socket (unix(7)): the kernel lets one process have it, and frees it with the process."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as holder:
        try:
            holder.bind(f"\0zonehost-{name}"[:_SOCKET_BYTES])
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise Conflict(
                f"another daemon has the name {name}: stop it, or give this one a --name of its own"
            ) from None
        return holder.detach()


def lasting_id(data_root: Path) -> str:
    """The id of this host, made at its first start, and anew if it is damaged: nothing on the disk depends on it."""
    place = data_root / "id"
    with suppress(*_NO_TEXT):
        if looks_like_id(known := place.read_text().strip()) and len(known) == _DIGITS:
            return known
    if place.exists():
        log.error("%s is damaged: the host gets a new id", place)
        vacate(place)
    draft, made = data_root / "id.new", new_id()
    draft.write_text(f"{made}\n")
    draft.rename(place)
    return made
