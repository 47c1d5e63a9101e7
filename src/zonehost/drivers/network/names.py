"""What this instance calls its kernel objects. An interface name has fifteen characters (IFNAMSIZ), so ids are cut."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one instance; others on the same host have others."""

    instance: str

    @property
    def mark(self) -> str:
        """Five digits that tell the instance."""
        return sha256(self.instance.encode()).hexdigest()[:5]

    @property
    def table(self) -> str:
        """The nftables table, in the families inet and bridge."""
        return f"zonehost-{self.instance}"

    @property
    def bridge_prefix(self) -> str:
        """How every bridge begins that is not named by its network's options."""
        return f"zb{self.mark}"

    @property
    def veth_prefix(self) -> str:
        """How the host's end of every veth pair begins."""
        return f"zv{self.mark}"

    @property
    def link_group(self) -> int:
        """A link group (IFLA_GROUP) for links that are about to be deleted."""
        return int(self.mark, 16) << 8 | 0x5A

    def bridge(self, network: str) -> str:
        """The bridge of a network, by its id."""
        return f"{self.bridge_prefix}{network[:8]}"

    def veth(self, endpoint: str) -> str:
        """The host's end of an endpoint's veth pair, by its id."""
        return f"{self.veth_prefix}{endpoint[:8]}"
