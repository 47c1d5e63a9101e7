"""Bodies of requests, as Docker's API declares them. What a record keeps is declared in `domain`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from zonehost.domain.config import Config
from zonehost.domain.endpoint_settings import EndpointSettings
from zonehost.domain.host_config import HostConfig
from zonehost.domain.naming import docker_name

_WORD_LISTS: Final = ("Cmd", "Entrypoint", "Shell")
_CAPABILITY_LISTS: Final = ("CapAdd", "CapDrop")


class _Body(msgspec.Struct, frozen=True, kw_only=True, rename=docker_name):
    """A body under its Docker names."""


class NetworkingConfig(_Body, frozen=True, kw_only=True):
    """Which networks a container is to be in, by name."""

    endpoints_config: dict[str, EndpointSettings | None] | None = None


class ContainerCreate(Config, frozen=True, kw_only=True, rename=docker_name):
    """`POST /containers/create`: a Config, and what depends on the host beside it."""

    host_config: HostConfig = HostConfig()
    networking_config: NetworkingConfig = NetworkingConfig()


class ExecCreate(_Body, frozen=True, kw_only=True):
    """`POST /containers/{id}/exec`. Docker's Python client repeats the container here; the path is what counts.

    `detach` is said again, and for good, by ExecStart.
    """

    container: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    console_size: tuple[int, int] | None = None
    detach_keys: str = ""
    tty: bool = False
    env: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    privileged: bool = False
    user: str = ""
    working_dir: str = ""
    detach: bool = False


class ExecStart(_Body, frozen=True, kw_only=True):
    """`POST /exec/{id}/start`."""

    detach: bool = False
    tty: bool = False
    console_size: tuple[int, int] | None = None


class VolumeCreate(_Body, frozen=True, kw_only=True):
    """`POST /volumes/create`."""

    name: str = ""
    driver: str = ""
    driver_opts: dict[str, str] = {}
    labels: dict[str, str] = {}
    cluster_volume_spec: dict[str, Any] | None = None


class IpamPool(_Body, frozen=True, kw_only=True):
    """A subnet of a network that is to be made."""

    subnet: str = ""
    ip_range: str = msgspec.field(default="", name="IPRange")
    gateway: str = ""
    auxiliary_addresses: dict[str, str] = {}


class Ipam(_Body, frozen=True, kw_only=True):
    """How a network gives addresses."""

    driver: str = ""
    config: tuple[IpamPool, ...] = ()
    options: dict[str, str] = {}


class ConfigReference(_Body, frozen=True, kw_only=True):
    """A network whose configuration is used."""

    network: str = ""


class NetworkCreate(_Body, frozen=True, kw_only=True):
    """`POST /networks/create`. CheckDuplicate has had no effect since API 1.44: names are always unique."""

    name: str = ""
    check_duplicate: bool = False
    driver: str = ""
    scope: str = ""
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = False
    config_from: ConfigReference = ConfigReference()
    ipam: Ipam = Ipam()
    enable_ipv4: bool = msgspec.field(default=True, name="EnableIPv4")
    enable_ipv6: bool | None = msgspec.field(default=None, name="EnableIPv6")
    options: dict[str, str] = {}
    labels: dict[str, str] = {}


class NetworkConnect(_Body, frozen=True, kw_only=True):
    """`POST /networks/{id}/connect`."""

    container: str = ""
    endpoint_config: EndpointSettings = EndpointSettings()


class NetworkDisconnect(_Body, frozen=True, kw_only=True):
    """`POST /networks/{id}/disconnect`."""

    container: str = ""
    force: bool = False


class Credentials(msgspec.Struct, frozen=True, kw_only=True, rename=str):
    """`POST /auth`. The address of a registry; `email` is not used any more."""

    username: str = ""
    password: str = ""
    auth: str = ""
    email: str = ""
    serveraddress: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


def split_words(raw: dict[str, Any]) -> None:
    """A command may be one string, which is one word and not a line to be split (Docker's StrSlice)."""
    _listed(raw, _WORD_LISTS)


def prepare_container(raw: dict[str, Any]) -> None:
    """The same for the body of a container, whose capabilities may be one word too."""
    split_words(raw)
    if isinstance(host_config := raw.get("HostConfig"), dict):
        _listed(host_config, _CAPABILITY_LISTS)


def _listed(raw: dict[str, Any], names: Iterable[str]) -> None:
    for name in names:
        if isinstance(raw.get(name), str):
            raw[name] = [raw[name]]
