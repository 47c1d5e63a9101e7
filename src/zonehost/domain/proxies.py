"""Which proxy an address is reached by: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, read as dockerd reads them.

Source: golang.org/x/net/http/httpproxy. Knows no connections.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

_PORTS: Final = {"http": 80, "https": 443}
_WITH_PORT: Final = re.compile(r"(?:\[(?P<literal>[^\[\]]*)\]|(?P<host>[^\[\]:]*)):(?P<port>[^:]*)")
_LOGIN: Final = re.compile(r"^([a-z][a-z0-9+.-]*://)?[^/]*@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Proxies:
    """The addresses of proxies for either scheme, empty for none, and the words of who is reached without."""

    http: str = ""
    https: str = ""
    direct: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Proxies:
        """What the variables say; the names in capitals go before the others."""
        names = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
        return cls(*(environment.get(name) or environment.get(name.lower(), "") for name in names))

    def choose(self, scheme: str, host: str, port: int | None = None) -> str:
        """The address of the proxy for a host, empty if it is reached without one.

        `localhost` and addresses of the loopback never have one. A proxy that names no scheme speaks HTTP.
        """
        proxy = {"http": self.http, "https": self.https}.get(scheme, "")
        if not proxy or self._is_direct(host.lower(), str(port or _PORTS[scheme])):
            return ""
        return proxy if "://" in proxy else f"http://{proxy}"

    def _is_direct(self, host: str, port: str) -> bool:
        address = _address(host)
        if host == "localhost" or (address is not None and address.is_loopback):
            return True
        words = filter(None, (word.strip().lower() for word in self.direct.split(",")))
        return any(_names(word, host, address, port) for word in words)


def masked(proxy: str) -> str:
    """A proxy's address to be shown: without its name and password."""
    return _LOGIN.sub(r"\1xxxxx:xxxxx@", proxy)


def _names(word: str, host: str, address: IPv4Address | IPv6Address | None, port: str) -> bool:
    """Whether a word of NO_PROXY names the host.

    `*`; a network; an address or a domain, each with a port or without. A domain stands for all below it too, one
    that begins with `.` or `*.` only for those.
    """
    if word == "*":
        return True
    with contextlib.suppress(ValueError):
        if "/" in word:
            return address is not None and address in ip_network(word, strict=False)
    found = _WITH_PORT.fullmatch(word)
    named, only = (found["literal"] or found["host"] or "", found["port"]) if found else (word, "")
    if not named or (only and only != port):
        return False
    if (literal := _address(named)) is not None or address is not None:
        return literal == address
    domain = _ascii(named.removeprefix("*"))
    host = _ascii(host)
    return host.endswith(domain) if domain.startswith(".") else host == domain or host.endswith(f".{domain}")


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address


def _ascii(name: str) -> str:
    """A name as the DNS has it (RFC 3490), where it can be."""
    if name.isascii():
        return name
    labels = name.split(".")
    try:
        return ".".join(label.encode("idna").decode() for label in labels)
    except UnicodeError:
        return name
