"""The record of a volume."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from zonehost.domain.phase import Phase


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A named dataset that containers mount."""

    kind: ClassVar[str] = "volume"

    name: str
    created: int
    driver: str = "local"
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None
    anonymous: bool = False
    origin: str = ""
    """The id of the snapshot that it was cloned from."""
    phase: Phase = Phase.MAKING

    @property
    def key(self) -> str:
        """What the store finds it by."""
        return self.name
