"""The files in /etc that a host writes for a zone: hosts, hostname and resolv.conf, as Docker writes them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

_HOSTS_HEAD: Final = (
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::\tip6-localnet\n"
    "ff00::\tip6-mcastprefix\n"
    "ff02::1\tip6-allnodes\n"
    "ff02::2\tip6-allrouters\n"
)
RESOLVER: Final = "127.0.0.11"
"""Where zones of user-defined networks ask for names, as in Docker."""
FALLBACK_SERVERS: Final = ("8.8.8.8", "8.8.4.4")
"""Where the host names only servers of its own loopback, which a zone cannot reach. Docker has the same two."""


def hosts_file(
    addresses: Iterable[str], hostname: str, domainname: str = "", extra: Iterable[tuple[str, str]] = ()
) -> str:
    """Contents of hosts: the zone's addresses with its name, and extra pairs of name and address."""
    lines = [f"{address}\t{name}\n" for name, address in extra]
    name = f"{hostname}.{domainname}" if domainname else hostname
    first, dot, _ = name.partition(".")
    names = f"{name} {first}" if dot else name
    lines.extend(f"{address}\t{names}\n" for address in addresses)
    return _HOSTS_HEAD + "".join(lines)


def hostname_file(hostname: str) -> str:
    """Contents of hostname: the name alone, without the domain."""
    return f"{hostname}\n"


def resolver_file(
    host: str,
    *,
    servers: Sequence[str] | None = None,
    search: Sequence[str] | None = None,
    options: Sequence[str] | None = None,
    own_network: bool = True,
    named: bool = False,
) -> str:
    """Contents of resolv.conf: the host's, with what is asked in its place (resolv.conf(5)).

    With a network of its own, a zone cannot reach servers on the host's loopback: they are left out. In a network whose
    zones know each other by name (`named`), the zone asks the resolver, and that asks the servers.
    """
    found_servers, found_search, found_options = _read_resolver(host)
    if named:
        found_servers = [RESOLVER]
    elif servers:
        found_servers = list(servers)
    elif own_network:
        found_servers = [server for server in found_servers if not _is_loopback(server)] or list(FALLBACK_SERVERS)
    if search:
        # A lone dot asks for no search list at all.
        found_search = [] if tuple(search) == (".",) else list(search)
    if options:
        found_options = list(options)
    if named and not any(option.startswith("ndots:") for option in found_options):
        # As Docker: a name without a dot is a zone's, so it is asked as it is before any search list.
        found_options.append("ndots:0")
    lines = [f"nameserver {server}\n" for server in found_servers]
    if found_search:
        lines.append(f"search {' '.join(found_search)}\n")
    if found_options:
        lines.append(f"options {' '.join(found_options)}\n")
    return "".join(lines)


def names_only_loopback(resolver: str) -> bool:
    """Whether a resolv.conf names servers, and all of them on the host's own loopback."""
    servers, _, _ = _read_resolver(resolver)
    return bool(servers) and all(_is_loopback(server) for server in servers)


def _read_resolver(text: str) -> tuple[list[str], list[str], list[str]]:
    servers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        match line.split():
            case ["nameserver", server, *_]:
                servers.append(server)
            case ["search" | "domain", *names]:
                search = names
            case ["options", *words]:
                options.extend(words)
            case _:
                continue
    return servers, search, options


def _is_loopback(server: str) -> bool:
    try:
        return ipaddress.ip_address(server.partition("%")[0]).is_loopback
    except ValueError:
        return False
