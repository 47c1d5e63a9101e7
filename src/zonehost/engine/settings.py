"""What an operator decides for a host, as far as the engine's policy depends on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from zonehost.domain.host_config import LogConfig, Ulimit
from zonehost.domain.proxies import Proxies


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Sizes in bytes, times in seconds."""

    name: str = "default"
    id: str = ""
    """A lasting id of this host, shown by `docker info`."""
    data_root: str = "/var/lib/zonehost"
    labels: tuple[str, ...] = ()
    log: LogConfig = field(default_factory=lambda: LogConfig(type="json-file"))
    ulimits: tuple[Ulimit, ...] = ()
    init: bool = False
    shm_size: int = 64 << 20
    storage_opt: dict[str, str] = field(default_factory=dict)
    """Of containers that give none of their own."""
    stop_timeout: int = 10
    insecure_registries: tuple[str, ...] = ()
    registry_mirrors: tuple[str, ...] = ()
    proxies: Proxies = field(default_factory=Proxies)
    host_gateway: str = ""
    """Address that `host-gateway` stands for; empty: the gateway of the default bridge."""
    debug: bool = False
