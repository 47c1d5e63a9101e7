"""Networks, as inspect and list show them."""

from __future__ import annotations

from typing import Any

from zonehost.api.shape.times import rfc3339
from zonehost.domain.network import Endpoint, Pool
from zonehost.engine.network.inspect import NetworkDetail


def detail(found: NetworkDetail) -> dict[str, Any]:
    """`GET /networks/{id}`."""
    return {**listed(found), "Containers": {key: _member(*member) for key, member in found.members.items()}}


def listed(found: NetworkDetail) -> dict[str, Any]:
    """One of `GET /networks`; as in Docker, who is in it is told by inspect only."""
    network = found.network
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": rfc3339(network.created),
        "Scope": "local",
        "Driver": network.driver,
        "EnableIPv4": network.ipv4,
        "EnableIPv6": network.ipv6,
        "IPAM": {
            "Driver": network.ipam_driver,
            "Options": network.ipam_options or None,
            "Config": [_pool(pool) for pool in sorted(network.pools, key=lambda pool: ":" in pool.subnet)] or None,
        },
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {},
        "Options": found.options,
        "Labels": network.labels,
    }


def _pool(pool: Pool) -> dict[str, Any]:
    answer: dict[str, Any] = {"Subnet": pool.subnet}
    if pool.ip_range:
        answer["IPRange"] = pool.ip_range
    if pool.gateway:
        answer["Gateway"] = pool.gateway
    if pool.auxiliary:
        answer["AuxiliaryAddresses"] = pool.auxiliary
    return answer


def _member(name: str, endpoint: Endpoint) -> dict[str, str]:
    return {
        "Name": name,
        "EndpointID": endpoint.id,
        "MacAddress": endpoint.mac,
        "IPv4Address": f"{endpoint.ipv4}/{endpoint.ipv4_prefix}" if endpoint.ipv4 else "",
        "IPv6Address": f"{endpoint.ipv6}/{endpoint.ipv6_prefix}" if endpoint.ipv6 else "",
    }
