"""How an attribute is called in Docker's JSON. Owns spelling only."""

from __future__ import annotations

from typing import Final

_ACRONYMS: Final = {
    "id": "ID",
    "ip": "IP",
    "ipv4": "IPv4",
    "ipv6": "IPv6",
    "ipam": "IPAM",
    "uts": "UTS",
    "io": "IO",
    "iops": "IOps",
    "ips": "IPs",
    "url": "URL",
    "dns": "Dns",
    "os": "OS",
}


def docker_name(attribute: str) -> str:
    """Docker's JSON name of a Python attribute: ``ipam_config`` is ``IPAMConfig``, ``nano_cpus`` is ``NanoCpus``."""
    words = attribute.rstrip("_").split("_")
    return "".join(_ACRONYMS.get(word, word[:1].upper() + word[1:]) for word in words)
