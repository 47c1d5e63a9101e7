"""What a recovery did."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True, kw_only=True)
class Recovered:
    """Counts, for the log, the event and whoever asks."""

    corrupt: int = 0
    adopted: int = 0
    ended: int = 0
    undone: int = 0
    finished: int = 0
    swept: int = 0
    restarted: int = 0
    failed: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{name} {count}" for name, count in asdict(self).items() if count) or "nothing to do"
