"""What `docker commit --change` and `docker import --change` do to a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from zonehost.domain.config import Config
from zonehost.domain.platform import Platform


class ApplyChanges(Protocol):
    """Carries out instructions of a Dockerfile that change a configuration and run nothing."""

    def __call__(self, config: Config, changes: Sequence[str], platform: Platform) -> Config:
        """The configuration of an image for this platform after the instructions, in order; empty ones are nothing.

        Variables in them are those of the configuration so far.

        Raises:
            InvalidParameter: one is not an instruction that may stand here, or is badly written.
        """
