"""Docker's progress messages of pulls, pushes and imports."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import Any, Final

from zonehost.domain.identity import short

Tell = Callable[[dict[str, Any]], None]

_WIDTH: Final = 50
_STEPS: Final = 100
_SMALLEST_STEP: Final = 512 << 10


class LayerProgress:
    """What is told of one layer, or without a digest of all there is."""

    def __init__(self, tell: Tell, digest: str = "") -> None:
        self._tell = tell
        self._id = {"id": short(digest)} if digest else {}

    def status(self, words: str) -> None:
        """A new state of the layer."""
        self._tell({"status": words, "progressDetail": {}, **self._id})

    async def watch(self, parts: AsyncIterable[bytes], words: str, total: int = 0) -> AsyncGenerator[bytes, None]:
        """Pass the parts on, telling how many bytes have come, of how many if that is known."""
        current = told = 0
        step = max(total // _STEPS, _SMALLEST_STEP)
        async for part in parts:
            current += len(part)
            if current - told >= step:
                told = current
                self._tell({"status": words, **_bar(current, total), **self._id})
            yield part


def _bar(current: int, total: int) -> dict[str, Any]:
    if not total:
        return {"progressDetail": {"current": current}, "progress": f"{_size(current):>8}"}
    filled = min(current * _WIDTH // total, _WIDTH)
    arrow = "=" * filled + (">" if filled < _WIDTH else "")
    shown = f"[{arrow:<{_WIDTH}}] {_size(current):>8}/{_size(total)}"
    return {"progressDetail": {"current": current, "total": total}, "progress": shown}


def _size(count: int) -> str:
    """Bytes as Docker's progress shows them, in powers of ten with four digits."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.4g}{unit}"
        value /= 1000
    return f"{value:.4g}TB"
