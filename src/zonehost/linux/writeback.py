"""Files begin to go to the disk while others are still being written: a sync at the end then has little left to do."""

from __future__ import annotations

import os
import threading
from queue import Full, Queue
from typing import Final

from zonehost.linux import libc

_WRITE: Final = 2
"""SYNC_FILE_RANGE_WRITE: begin, and wait for nothing (sync_file_range(2))."""
_LARGE: Final = 256 << 10
"""Bytes of a file from which on it is worth the call."""
_BATCH: Final = 16 << 20
"""Bytes of files that the thread is woken for."""
_WAITING: Final = 4
_OPEN: Final = 64
"""Files of a batch at the most."""


class Writeback:
    """A thread that has the kernel begin; by itself it begins only when a tenth of the memory waits, or after 30 s."""

    def __init__(self) -> None:
        self._batch: list[int] = []
        self._size = 0
        self._batches: Queue[list[int]] = Queue(_WAITING)
        self._thread: threading.Thread | None = None
        self._failed: OSError | None = None

    def begin(self, descriptor: int, size: int) -> None:
        """Take in a file that was written, if it is large; where the disk is slow it may be left to the sync."""
        if size < _LARGE:
            return
        self._batch.append(os.dup(descriptor))
        self._size += size
        if self._size >= _BATCH or len(self._batch) >= _OPEN:
            self._hand_over()

    def finish(self) -> None:
        """Close.

        Raises:
            OSError: a file cannot go to the disk.
        """
        self.close()
        if self._failed is not None:
            raise self._failed

    def close(self) -> None:
        """Take in no more, and return when no file is open. Idempotent."""
        _close(self._batch)
        self._batch = []
        thread, self._thread = self._thread, None
        if thread is not None:
            self._batches.put([])
            thread.join()

    def _hand_over(self) -> None:
        batch, self._batch, self._size = self._batch, [], 0
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        try:
            self._batches.put_nowait(batch)
        except Full:
            _close(batch)

    def _work(self) -> None:
        while batch := self._batches.get():
            try:
                for descriptor in batch:
                    libc.call("sync_file_range", descriptor, 0, 0, _WRITE)
            except OSError as error:
                self._failed = self._failed or error
            finally:
                _close(batch)


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
