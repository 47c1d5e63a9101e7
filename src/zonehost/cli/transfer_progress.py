"""How far a stream is: bytes and rate, on one line of a terminal; nothing elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator

from zonehost.cli.sizes import size_text

_EACH = 0.2
"""Seconds between two looks."""


def watched(chunks: Iterable[bytes], done: str) -> Iterator[bytes]:
    """The same chunks."""
    if not sys.stderr.isatty():
        yield from chunks
        return
    began = told = time.monotonic()
    size = 0
    for chunk in chunks:
        size += len(chunk)
        yield chunk
        now = time.monotonic()
        if now - told >= _EACH:
            told = now
            rate = size_text(size / (now - began))
            print(f"\r{size_text(size)} {done}, {rate}/s   ", end="", file=sys.stderr, flush=True)
    print(f"\r{size_text(size)} {done} in {time.monotonic() - began:.1f} s        ", file=sys.stderr)
