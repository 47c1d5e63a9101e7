"""The options of networks and endpoints, by Docker's names: read, checked, or refused by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from zonehost.domain.network import Endpoint, Network
from zonehost.errors import InvalidParameter, Unsupported

_BRIDGE: Final = "com.docker.network.bridge."
_DRIVER: Final = "com.docker.network.driver."
_NETWORK: Final = "com.docker.network."
_ENDPOINT: Final = "com.docker.network.endpoint."

_FILTERED: Final = "zonehost.filtered"
"""The one option of ours."""

_IFNAME: Final = re.compile(r"[^\s/:%]{1,15}")
_PREFIX: Final = re.compile(r"[^\s/:%]{1,12}")
_TRUE: Final = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE: Final = frozenset(("0", "f", "F", "false", "FALSE", "False"))
_GATEWAY_MODES: Final = ("nat", "nat-unprotected", "routed", "isolated")
_MACVLAN_MODES: Final = ("bridge", "private", "vepa", "passthru")
_LARGEST_MTU: Final = 65535


@dataclass(frozen=True, slots=True)
class BridgeOptions:
    """What may be said of a bridge network. Empty and 0 are the default."""

    name: str = ""
    talking: bool = True
    masquerade: bool = True
    host_ip: str = ""
    mtu: int = 0
    prefix: str = "eth"
    source4: str = ""
    source6: str = ""
    mode4: str = "nat"
    mode6: str = "nat"
    inhibit_ipv4: bool = False


@dataclass(frozen=True, slots=True)
class MacvlanOptions:
    """What may be said of a macvlan network; the parent is a link of the host, or a VLAN of one (`eth0.50`).

    Without a parent its zones reach each other only. `filtered`: a zone sends only from its own addresses.
    """

    parent: str = ""
    mode: str = "bridge"
    mtu: int = 0
    prefix: str = "eth"
    filtered: bool = True


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """What may be said of an endpoint: its interface's name, and settings of that interface."""

    interface: str = ""
    sysctls: tuple[tuple[str, str], ...] = ()


def bridge_options(network: Network) -> BridgeOptions:
    """Those of a bridge network.

    Raises:
        InvalidParameter: a value cannot be.
        Unsupported: an option is not known.
    """
    given = dict(network.options)
    options = BridgeOptions(
        name=_matching(given, _BRIDGE + "name", _IFNAME, ""),
        talking=_flag(given, _BRIDGE + "enable_icc", True),
        masquerade=_flag(given, _BRIDGE + "enable_ip_masquerade", True),
        host_ip=_ip(given, _BRIDGE + "host_binding_ipv4", 4),
        mtu=_mtu(given),
        prefix=_matching(given, _NETWORK + "container_iface_prefix", _PREFIX, "eth"),
        source4=_ip(given, _NETWORK + "host_ipv4", 4),
        source6=_ip(given, _NETWORK + "host_ipv6", 6),
        mode4=_choice(given, _BRIDGE + "gateway_mode_ipv4", _GATEWAY_MODES),
        mode6=_choice(given, _BRIDGE + "gateway_mode_ipv6", _GATEWAY_MODES),
        inhibit_ipv4=_flag(given, _BRIDGE + "inhibit_ipv4", False),
    )
    _flag(given, _BRIDGE + "default_bridge", False)
    _refuse_rest(given)
    if "isolated" in (options.mode4, options.mode6) and not network.internal:
        raise InvalidParameter("gateway mode 'isolated' can only be used for an internal network")
    return options


def default_bridge_options(name: str, publish: str) -> dict[str, str]:
    """What the network `bridge` shows, as Docker's does; `publish` is the host address of ports, empty for all."""
    return {
        _BRIDGE + "default_bridge": "true",
        _BRIDGE + "enable_icc": "true",
        _BRIDGE + "enable_ip_masquerade": "true",
        _BRIDGE + "host_binding_ipv4": publish or "0.0.0.0",
        _BRIDGE + "name": name,
        _DRIVER + "mtu": "1500",
    }


def macvlan_options(network: Network) -> MacvlanOptions:
    """Those of a macvlan network.

    Raises:
        InvalidParameter: a value cannot be.
        Unsupported: an option is not known.
    """
    given = dict(network.options)
    options = MacvlanOptions(
        parent=_matching(given, "parent", _IFNAME, ""),
        mode=_choice(given, "macvlan_mode", _MACVLAN_MODES),
        mtu=_mtu(given),
        prefix=_matching(given, _NETWORK + "container_iface_prefix", _PREFIX, "eth"),
        filtered=_flag(given, _FILTERED, True),
    )
    _refuse_rest(given)
    if options.parent == "lo":
        raise InvalidParameter("loopback interface is not a valid macvlan parent link")
    return options


def endpoint_options(endpoint: Endpoint) -> EndpointOptions:
    """Those of an endpoint.

    Raises:
        InvalidParameter: a value cannot be.
        Unsupported: an option is not known.
    """
    given = dict(endpoint.driver_options)
    options = EndpointOptions(
        interface=_matching(given, _ENDPOINT + "ifname", _IFNAME, ""),
        sysctls=tuple(_sysctl(text) for text in filter(None, given.pop(_ENDPOINT + "sysctls", "").split(","))),
    )
    _refuse_rest(given)
    return options


def _refuse_rest(given: Mapping[str, str]) -> None:
    if given:
        raise Unsupported(f"network driver option {min(given)} is not supported")


def _flag(given: dict[str, str], name: str, default: bool) -> bool:
    text = given.pop(name, "")
    if not text:
        return default
    if text not in _TRUE | _FALSE:
        raise InvalidParameter(f'invalid value for network driver option {name}: "{text}" is not a boolean')
    return text in _TRUE


def _matching(given: dict[str, str], name: str, pattern: re.Pattern[str], default: str) -> str:
    text = given.pop(name, "")
    if text and (pattern.fullmatch(text) is None or text in (".", "..")):
        raise InvalidParameter(f'invalid value for network driver option {name}: "{text}" is no interface name')
    return text or default


def _ip(given: dict[str, str], name: str, version: int) -> str:
    text = given.pop(name, "")
    if not text:
        return ""
    try:
        if ip_address(text).version == version:
            return text
    except ValueError:
        pass
    raise InvalidParameter(f'invalid value for network driver option {name}: "{text}" is no IPv{version} address')


def _choice(given: dict[str, str], name: str, choices: tuple[str, ...]) -> str:
    text = given.pop(name, "") or choices[0]
    if text not in choices:
        raise InvalidParameter(f'invalid value for network driver option {name}: "{text}" is none of {choices}')
    return text


def _mtu(given: dict[str, str]) -> int:
    name = _DRIVER + "mtu"
    text = given.pop(name, "0") or "0"
    if not text.isdecimal() or int(text) > _LARGEST_MTU:
        raise InvalidParameter(f'invalid value for network driver option {name}: "{text}"')
    return int(text)


def _sysctl(text: str) -> tuple[str, str]:
    """`net.ipv4.conf.IFNAME.log_martians=1`, where IFNAME stands for the interface, as Docker has it."""
    name, found, value = text.partition("=")
    if not found or not name.startswith("net.") or ".IFNAME." not in name:
        raise InvalidParameter(f"invalid value for network driver option {_ENDPOINT}sysctls: {text}")
    return name, value
