"""Digests of a stream, computed beside the work on it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from typing import Final, TypeVar

_AHEAD: Final = 16
_Chunk = TypeVar("_Chunk", bytes, memoryview)


class Digester:
    """A SHA-256 in a thread of its own; hashlib lets other threads run while it works."""

    def __init__(self) -> None:
        self.size = 0
        self._hash = hashlib.sha256()
        self._chunks: SimpleQueue[bytes | memoryview] = SimpleQueue()
        self._room = threading.BoundedSemaphore(_AHEAD)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def update(self, chunk: bytes | memoryview) -> None:
        """Take in a chunk, which must not change later."""
        if chunk:
            self.size += len(chunk)
            self._room.acquire()
            self._chunks.put(chunk)

    def finish(self) -> str:
        """`sha256:` and the digest of all that was taken in."""
        self._chunks.put(b"")
        self._thread.join()
        return f"sha256:{self._hash.hexdigest()}"

    def watch(self, chunks: Iterable[_Chunk]) -> Iterator[_Chunk]:
        """Pass the chunks on, taking them in."""
        for chunk in chunks:
            self.update(chunk)
            yield chunk

    def _work(self) -> None:
        while chunk := self._chunks.get():
            self._hash.update(chunk)
            self._room.release()
