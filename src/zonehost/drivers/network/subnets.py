"""Subnets chosen for networks: free on this host now, and claimed by nobody else who is about to make a bridge.

Daemons side by side look at the same routes; between the choice and the bridge each claim is an abstract socket
(unix(7)) named after the subnet, which one process of a network namespace can have, and which ends with it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Sequence
from typing import Final

from zonehost.domain.ipam import Base, Subnet, first_free

_SECONDS: Final = 60.0
"""How long a claim is kept whose network was never made."""


class Subnets:
    """Claims of one driver."""

    def __init__(self) -> None:
        self._claims: dict[str, tuple[socket.socket, float]] = {}

    def choose(self, bases: Iterable[Base], busy: Sequence[Subnet]) -> Subnet:
        """The first piece of the bases that is free and not claimed; claimed now.

        Raises:
            InvalidParameter: there is none.
        """
        self._forget_old()
        others = list(busy)
        while True:
            piece = first_free(bases, others)
            if self._claim(str(piece)):
                return piece
            others.append(piece)

    def release(self, subnets: Iterable[Subnet]) -> None:
        """End claims: bridges have these subnets now, and the routes say so; or no network is made of them."""
        for subnet in subnets:
            self._end(str(subnet))

    def close(self) -> None:
        """End all claims."""
        for subnet in list(self._claims):
            self._end(subnet)

    def _claim(self, subnet: str) -> bool:
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            claim.bind(f"\0zonehost/subnet/{subnet}")
        except OSError:
            claim.close()
            return False
        self._claims[subnet] = (claim, time.monotonic())
        return True

    def _end(self, subnet: str) -> None:
        if found := self._claims.pop(subnet, None):
            found[0].close()

    def _forget_old(self) -> None:
        for subnet, (_, since) in list(self._claims.items()):
            if time.monotonic() - since > _SECONDS:
                self._end(subnet)
