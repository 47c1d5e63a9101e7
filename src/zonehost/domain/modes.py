"""The modes of namespaces: what `--network`, `--pid`, `--ipc`, `--uts`, `--userns` and `--cgroupns` may say.

Also which of them go together with what else is asked, in Docker's words.
"""

from __future__ import annotations

from typing import Final

from zonehost.domain.config import Config
from zonehost.domain.host_config import HostConfig
from zonehost.errors import InvalidParameter

_CONTAINER: Final = "container:"
_WORDS: Final = {
    "pid_mode": ("PID mode", frozenset({"", "host"}), True),
    "ipc_mode": ("IPC mode", frozenset({"", "none", "private", "shareable", "host"}), True),
    "uts_mode": ("UTS mode", frozenset({"", "host"}), False),
    "userns_mode": ("user namespace mode", frozenset({"", "host"}), False),
    "cgroupns_mode": ("cgroup namespace mode", frozenset({"", "private", "host"}), False),
}
PREDEFINED: Final = frozenset({"bridge", "host", "none"})
"""The networks that are always there."""


def other_container(mode: str) -> str:
    """The container of a `container:NAME` mode, empty for other modes."""
    return mode.removeprefix(_CONTAINER) if mode.startswith(_CONTAINER) else ""


def network_name(mode: str) -> str:
    """The network that a network mode names, empty if it shares another container's."""
    if other_container(mode):
        return ""
    return "bridge" if mode in ("", "default") else mode


def check_modes(config: Config, host: HostConfig) -> None:
    """Look through the namespace modes and what contradicts them.

    Raises:
        InvalidParameter: a mode is unknown, or an option cannot go with it.
    """
    for attribute, (name, words, shares) in _WORDS.items():
        mode: str = getattr(host, attribute)
        if mode not in words and not (shares and other_container(mode)):
            raise InvalidParameter(f"invalid {name}: {mode}")
    if host.uts_mode == "host" and (config.hostname or config.domainname):
        raise InvalidParameter("conflicting options: hostname and the UTS mode")
    if host.network_mode.partition(":")[0] == "container":
        _check_shared_network(config, host)
    if host.network_mode == "host" and host.links:
        raise InvalidParameter(
            "conflicting options: host type networking can't be used with links. "
            "This would result in undefined behavior"
        )


def _check_shared_network(config: Config, host: HostConfig) -> None:
    if not other_container(host.network_mode):
        raise InvalidParameter("invalid container format container:<name|id>")
    contradictions = (
        (config.hostname, "conflicting options: hostname and the network mode"),
        (
            host.links,
            "conflicting options: container type network can't be used with links. "
            "This would result in undefined behavior",
        ),
        (host.dns, "conflicting options: dns and the network mode"),
        (host.extra_hosts, "conflicting options: custom host-to-IP mapping and the network mode"),
        (config.mac_address, "conflicting options: mac-address and the network mode"),
        (
            host.port_bindings or host.publish_all_ports,
            "conflicting options: port publishing and the container type network mode",
        ),
        (config.exposed_ports, "conflicting options: port exposing and the container type network mode"),
    )
    for given, words in contradictions:
        if given:
            raise InvalidParameter(words)
