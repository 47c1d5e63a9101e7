"""Flows of datagrams that would outlive a change of rules: forgotten when a UDP port is published, and when it ends.

A connection ends and begins anew; a client that goes on sending datagrams would keep its old way for ever.
Blocking calls for worker threads.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final

from zonehost.drivers.network.firewall import Published
from zonehost.errors import SystemFailure
from zonehost.linux.netlink import Channel
from zonehost.linux.netlink_conntrack import forget_answers_from, forget_port
from zonehost.linux.netlink_sets import NETFILTER

_UDP: Final = 17


def datagrams(ports: Iterable[Published]) -> list[Published]:
    """Those of the ports that this is about."""
    return [port for port in ports if port.protocol == "udp"]


def forget(ports: Iterable[Published]) -> None:
    """Let the next datagram to each port, or from where it led to, be as the first.

    Raises:
        SystemFailure: the kernel refused.
    """
    try:
        with Channel(NETFILTER) as channel:
            for port in ports:
                address = ip_address(port.address)
                forget_port(channel, address.version, _UDP, port.host_port)
                forget_answers_from(channel, address, _UDP)
    except OSError as error:
        raise SystemFailure(f"flows of published ports: {os.strerror(error.errno or 0)}") from error
