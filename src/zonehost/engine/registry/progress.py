"""Docker's progress messages of pulls and pushes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import Any, Final

from zonehost.domain.identity import short

Tell = Callable[[dict[str, Any]], None]

_WIDTH: Final = 50
_STEPS: Final = 100
_SMALLEST_STEP: Final = 512 << 10


class LayerProgress:
    """What is told of one layer."""

    def __init__(self, tell: Tell, digest: str) -> None:
        self._tell = tell
        self._id = short(digest)

    def status(self, words: str) -> None:
        """A new state of the layer."""
        self._tell({"status": words, "progressDetail": {}, "id": self._id})

    async def watch(self, parts: AsyncIterable[bytes], words: str, total: int = 0) -> AsyncGenerator[bytes, None]:
        """Pass the parts on, telling how many bytes have come, of how many if that is known."""
        current = told = 0
        step = max(total // _STEPS, _SMALLEST_STEP)
        async for part in parts:
            current += len(part)
            if current - told >= step:
                told = current
                self._tell(_bar(words, self._id, current, total))
            yield part


def _bar(words: str, layer: str, current: int, total: int) -> dict[str, Any]:
    if not total:
        return {
            "status": words,
            "progressDetail": {"current": current},
            "progress": f"{_size(current):>8}",
            "id": layer,
        }
    filled = min(current * _WIDTH // total, _WIDTH)
    arrow = "=" * filled + (">" if filled < _WIDTH else "")
    shown = f"[{arrow:<{_WIDTH}}] {_size(current):>8}/{_size(total)}"
    return {"status": words, "progressDetail": {"current": current, "total": total}, "progress": shown, "id": layer}


def _size(count: int) -> str:
    """Bytes as Docker's progress shows them, in powers of ten with four digits."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.4g}{unit}"
        value /= 1000
    return f"{value:.4g}TB"
