"""Who answers for the kernel in zones whose datasets have limits: df(1) shows these, and btrfs(8) keeps to them."""

from __future__ import annotations

from typing import Final, Protocol

VOLUMES: Final = "volumes"
"""The folder of a pool that has the volumes' datasets, by name."""
CHILDREN: Final = "trusted.zonehost.children"
"""The attribute of a volume's dataset that says how many subvolumes may be inside."""


class Supervisor(Protocol):
    """Takes the listeners of filters under which such calls wait (seccomp_unotify(2)).

    It goes on without the daemon, as long as anybody is under one of the filters.
    """

    async def watch(self, key: int, listener: int) -> None:
        """Answer the calls that are told to the listener, which is duplicated; no other has this key. Idempotent.

        Raises:
            SystemFailure: nobody can answer.
        """

    def forget(self, key: int) -> None:
        """Hold the listener no more; whoever still calls is answered, as long as the supervisor lives. Idempotent."""

    def alive(self) -> bool:
        """Whether somebody watches the listeners, if there are any."""

    async def begin(self) -> None:
        """Have somebody watch the listeners, if nobody does. Idempotent.

        Raises:
            SystemFailure: it cannot be had.
        """

    async def close(self) -> None:
        """Let it go on alone; where nobody is under a filter, it has ended when this returns."""
