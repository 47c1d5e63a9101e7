"""The sets and chains that both tables always have, in nft's words. What they are for: docs/networking.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Set:
    """A set, or with a value a map, by the nftables data types of its parts.

    `typeof` declares the key by expressions, for a part that has no type of its own: nftables before 1.0.9 knows no
    `icmpv6 taddr`.
    """

    key: tuple[str, ...]
    value: tuple[str, ...] = ()
    interval: bool = False
    typeof: str = ""

    @property
    def declaration(self) -> str:
        """The set's type in nft's words."""
        value = f" : {' . '.join(self.value)}" if self.value else ""
        kind = f"typeof {self.typeof}" if self.typeof else f"type {' . '.join(self.key)}{value}"
        return f"{kind}; flags interval" if self.interval else kind


def _intervals(*key: str, value: tuple[str, ...] = ()) -> Set:
    """A set of prefixes, by the bridge that they belong to."""
    return Set(key, value, interval=True)


SETS: Final = {
    ("inet", "bridges"): Set(("ifname",)),
    ("inet", "talking"): Set(("ifname", "ifname")),
    ("inet", "internal"): Set(("ifname",)),
    ("inet", "inside4"): _intervals("ifname", "ipv4_addr"),
    ("inet", "inside6"): _intervals("ifname", "ipv6_addr"),
    ("inet", "open4"): _intervals("ifname", "ipv4_addr"),
    ("inet", "open6"): _intervals("ifname", "ipv6_addr"),
    ("inet", "masqueraded4"): _intervals("ifname", "ipv4_addr"),
    ("inet", "masqueraded6"): _intervals("ifname", "ipv6_addr"),
    ("inet", "sources4"): _intervals("ifname", "ipv4_addr", value=("ipv4_addr",)),
    ("inet", "sources6"): _intervals("ifname", "ipv6_addr", value=("ipv6_addr",)),
    ("inet", "metadata4"): Set(("ipv4_addr",)),
    ("inet", "metadata6"): Set(("ipv6_addr",)),
    ("inet", "ports4"): Set(("inet_proto", "inet_service"), ("ipv4_addr", "inet_service")),
    ("inet", "ports4_at"): Set(("ipv4_addr", "inet_proto", "inet_service"), ("ipv4_addr", "inet_service")),
    ("inet", "ports6"): Set(("inet_proto", "inet_service"), ("ipv6_addr", "inet_service")),
    ("inet", "ports6_at"): Set(("ipv6_addr", "inet_proto", "inet_service"), ("ipv6_addr", "inet_service")),
    ("inet", "routed4"): Set(("ipv4_addr", "inet_proto", "inet_service")),
    ("inet", "routed6"): Set(("ipv6_addr", "inet_proto", "inet_service")),
    ("bridge", "stations"): Set(("ifname", "ether_addr")),
    ("bridge", "senders4"): Set(("ifname", "ether_addr", "ipv4_addr")),
    ("bridge", "senders6"): Set(("ifname", "ether_addr", "ipv6_addr")),
    ("bridge", "claims6"): Set(("ifname", "ether_addr", "ipv6_addr"), typeof="iifname . ether saddr . @th,64,128"),
}

INET_CHAINS: Final = """
	chain arriving {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 127.0.0.0/8 return
		meta nfproto ipv4 fib daddr type local goto published4
		meta nfproto ipv6 fib daddr type local goto published6
	}
	chain made_here {
		type nat hook output priority -100; policy accept;
		ip6 daddr ::1 return
		meta nfproto ipv4 fib daddr type local goto published4
		meta nfproto ipv6 fib daddr type local goto published6
	}
	chain published4 {
		dnat ip to ip daddr . meta l4proto . th dport map @ports4_at
		dnat ip to meta l4proto . th dport map @ports4
	}
	chain published6 {
		dnat ip6 to ip6 daddr . meta l4proto . th dport map @ports6_at
		dnat ip6 to meta l4proto . th dport map @ports6
	}
	chain leaving {
		type nat hook postrouting priority srcnat; policy accept;
		oifname @bridges goto to_bridge
		snat ip to iifname . ip saddr map @sources4
		snat ip6 to iifname . ip6 saddr map @sources6
		iifname . ip saddr @masqueraded4 masquerade
		iifname . ip6 saddr @masqueraded6 masquerade
	}
	chain to_bridge {
		iif != 0 iifname != @bridges return
		ip saddr 127.0.0.0/8 masquerade
		ct status dnat oifname . ip saddr @inside4 masquerade
		ct status dnat oifname . ip6 saddr @inside6 masquerade
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
		ct state established,related accept
		iifname @bridges jump from_zone
		oifname @bridges jump to_zone
	}
	chain from_zone {
		ip daddr @metadata4 reject with icmpx admin-prohibited
		ip6 daddr @metadata6 reject with icmpx admin-prohibited
		iifname . oifname @talking accept
		iifname @internal drop
	}
	chain to_zone {
		oifname @internal drop
		ct status dnat accept
		ip daddr . meta l4proto . th dport @routed4 accept
		ip6 daddr . meta l4proto . th dport @routed6 accept
		oifname . ip daddr @open4 accept
		oifname . ip6 daddr @open6 accept
		drop
	}
"""

BRIDGE_CHAINS: Final = """
	chain arriving {
		type filter hook prerouting priority -300; policy accept;
		ether type ip ip protocol tcp ip daddr != 127.0.0.0/8 iifname . ether saddr . ip saddr @senders4 accept
		ether type ip6 ip6 nexthdr tcp iifname . ether saddr . ip6 saddr @senders6 accept
		ip daddr 127.0.0.0/8 drop
		ip saddr 127.0.0.0/8 drop
		iifname "VETH*" goto from_zone
	}
	chain from_zone {
		ether type ip udp sport 67 drop
		ether type ip iifname . ether saddr . ip saddr @senders4 accept
		ether type arp goto from_zone_arp
		ether type ip6 goto from_zone6
		counter drop
	}
	chain from_zone_arp {
		iifname . ether saddr . arp saddr ip != @senders4 counter drop
		iifname . arp saddr ether . arp saddr ip != @senders4 counter drop
	}
	chain from_zone6 {
		udp sport 547 drop
		icmpv6 type { nd-router-advert, nd-redirect } drop
		icmpv6 type nd-neighbor-advert iifname . ether saddr . @th,64,128 @claims6 accept
		icmpv6 type nd-neighbor-advert drop
		iifname . ether saddr . ip6 saddr @senders6 accept
		ip6 saddr :: icmpv6 type { nd-neighbor-solicit, mld2-listener-report } iifname . ether saddr @stations accept
		counter drop
	}
"""


def _rules_in(chains: str) -> int:
    return sum(line.startswith("\t\t") and not line.startswith("\t\ttype ") for line in chains.splitlines())


RULES: Final = {"inet": _rules_in(INET_CHAINS), "bridge": _rules_in(BRIDGE_CHAINS)}
"""How many rules each table has: always the same ones."""
