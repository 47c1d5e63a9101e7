"""How far a stream is: bytes, rate and time left, on one line of a terminal or as lines of JSON."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Final

import msgspec

from zonehost.cli.sizes import size_text
from zonehost.domain.frames import HEADING_SIZE, MAGIC, Kind, parse_heading
from zonehost.errors import InvalidParameter

_EACH: Final = 0.2
"""Seconds between two looks."""


class _Sized(msgspec.Struct):
    size: int = 0


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Add the choice of the form."""
    parser.add_argument(
        "--progress",
        choices=["auto", "json", "off"],
        default="auto",
        help="on standard error: a line if that is a terminal (auto), or lines of JSON",
    )


def is_shown(form: str) -> bool:
    """Whether anybody looks, so that it is worth while to ask for the size of the stream."""
    return form == "json" or (form == "auto" and sys.stderr.isatty())


class Progress:
    """Counts bytes of one stream and shows them."""

    def __init__(self, form: str, done: str) -> None:
        """`done` is what becomes of the bytes: sent, received."""
        self.shown = is_shown(form)
        self._form = form
        self._done = done
        self._begin = b""
        self._size = 0
        self._total = 0
        self._began = self._told = time.monotonic()

    def add(self, data: memoryview) -> None:
        """Count what came."""
        if not self.shown:
            return
        if self._size < _HEAD_WITHIN and not self._total:
            self._begin += data
            self._total = _size_in(self._begin)
        self._size += len(data)
        now = time.monotonic()
        if now - self._told >= _EACH:
            self._told = now
            self._tell(now, end=False)

    def end(self) -> None:
        """Show the sum."""
        if self.shown:
            self._tell(time.monotonic(), end=True)

    def _tell(self, now: float, *, end: bool) -> None:
        rate = self._size / max(now - self._began, 0.001)
        left = max(0, self._total - self._size) / rate if rate and self._total else None
        if self._form == "json":
            told: dict[str, float | None] = {
                "bytes": self._size,
                "total": self._total or None,
                "rate": round(rate),
                "done": end,
            }
            told["left"] = None if left is None else round(left, 1)
            print(json.dumps(told), file=sys.stderr, flush=True)
            return
        text = f"{size_text(self._size)} {self._done}"
        if end:
            print(f"\r{text} in {now - self._began:.1f} s{'':30}", file=sys.stderr)
            return
        of = f" of {size_text(self._total)}" if self._total else ""
        rest = "" if left is None else f", {left:.0f} s left"
        print(f"\r{text}{of}, {size_text(rate)}/s{rest}{'':10}", end="", file=sys.stderr, flush=True)


_HEAD_WITHIN: Final = 1 << 20
"""Bytes in which the head of a stream is looked for."""


def _size_in(begin: bytes) -> int:
    """The size that the head of a stream gives, 0 if there is none (yet)."""
    body = len(MAGIC) + HEADING_SIZE
    if len(begin) < body:
        return 0
    try:
        heading = parse_heading(begin[len(MAGIC) : body], Kind.HEAD)
        if len(begin) < body + heading.size:
            return 0
        return msgspec.json.decode(begin[body : body + heading.size], type=_Sized).size
    except (InvalidParameter, msgspec.DecodeError):
        return 0
