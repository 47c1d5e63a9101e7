"""Rules in a zone's own namespace on a macvlan: it sends only as who it is. Pure.

No frame of a macvlan passes a bridge of the host, so the filter is where the zone's frames leave its interface. A zone
with CAP_NET_ADMIN can take the rules away, one without it cannot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from zonehost.drivers.network.plan import Wire, link_local

_CHAIN: Final = """table netdev {table} {{
	chain {name} {{
		type filter hook egress device "{name}" priority 0; policy drop;
	}}
}}
flush chain netdev {table} {name}
table netdev {table} {{
	chain {name} {{
		ether saddr != {mac} drop
		udp sport {{ 67, 547 }} drop
		ether type ip ip saddr {{ {four} }} accept
		ether type arp arp saddr ether {mac} arp saddr ip {{ {four} }} accept
{six}	}}
}}
"""
_SIX: Final = """		icmpv6 type {{ nd-router-advert, nd-redirect }} drop
		icmpv6 type nd-neighbor-advert @th,64,128 {{ {claims} }} accept
		icmpv6 type nd-neighbor-advert drop
		ether type ip6 ip6 saddr {{ ::, {six} }} accept
"""
# The target of an advertisement, which nftables before 1.0.9 cannot name, are 128 bits from bit 64 on (RFC 4861, 4.4).
_NOBODY: Final = "0.0.0.0"
"""Who asks a DHCP server for an address, or the link whether one is free."""


def rules(table: str, wires: Sequence[Wire]) -> str:
    """The commands for these links, each by its name inside."""
    return "".join(_chain(table, wire) for wire in wires)


def _chain(table: str, wire: Wire) -> str:
    own = [str(address.ip) for address in wire.addresses]
    four = ", ".join((_NOBODY, *(text for text in own if ":" not in text)))
    six = ""
    if wire.ipv6:
        addresses = (link_local(wire.mac), *(address.ip for address in wire.addresses if address.version == 6))
        claims = ", ".join(f"{int(address):#x}" for address in addresses)
        six = _SIX.format(six=", ".join(map(str, addresses)), claims=claims)
    return _CHAIN.format(table=table, name=wire.name, mac=wire.mac, four=four, six=six)
