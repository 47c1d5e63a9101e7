"""nftables tables seen by nfnetlink: who deletes in them, and how many rules they have.

Only looks; `nftables` and `netlink_sets` change.
"""

from __future__ import annotations

import errno
from typing import Final

from zonehost.linux.netlink import DUMP, Channel, Listener, Request, attributes, text
from zonehost.linux.netlink_sets import FAMILIES, NETFILTER, SUBSYSTEM

_GROUP: Final = 1 << 6
"""NFNLGRP_NFTABLES as a bit."""
_GET_RULE: Final = SUBSYSTEM << 8 | 7
_DELETIONS: Final = frozenset(SUBSYSTEM << 8 | kind for kind in (2, 5, 8, 11))
"""NFT_MSG_DELTABLE, DELCHAIN, DELRULE, DELSET: what a flush sends. Elements come and go all the time."""
_TABLE: Final = 1
_HEAD: Final = 4


class TableMonitor(Listener):
    """Tells in which tables of this namespace something was deleted, by anyone."""

    def __init__(self) -> None:
        super().__init__(NETFILTER, _GROUP)

    def thinned(self) -> set[str]:
        """Names of tables that lost a chain, a rule, a set or themselves since the last call."""
        return {
            value.rstrip(b"\0").decode()
            for message in self.news()
            if message.kind in _DELETIONS
            for kind, value in attributes(message.body[_HEAD:])
            if kind == _TABLE
        }


def count_rules(channel: Channel, family: str, table: str) -> int:
    """How many rules the table has; -1 if it is not there.

    Raises:
        OSError: the kernel does not say.
    """
    body = bytes([FAMILIES[family], 0, 0, 0]) + text(_TABLE, table)
    try:
        found = len(channel.ask(Request(_GET_RULE, DUMP, body)))
        # A dump of a table that is not there is empty, and no error: ask for the table itself.
        channel.ask(Request(SUBSYSTEM << 8 | 1, 0, body))
    except OSError as error:
        if error.errno == errno.ENOENT:
            return -1
        raise
    return found
