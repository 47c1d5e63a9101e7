"""What an operator says to the daemon: the options of `zonehost serve` over a TOML file over the defaults.

Owns the names, the types and the checks that need no look at the machine. Knows nothing of what is done with a value.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from zonehost.domain.durations import parse_duration
from zonehost.domain.host_config import HostConfig, Ulimit
from zonehost.domain.host_config_check import storage_quota
from zonehost.domain.ipam import Base
from zonehost.errors import InvalidParameter

FILE: Final = Path("/etc/zonehost/config.toml")

# Part of a cgroup's path and of an nft table's name.
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}")
_ULIMIT: Final = re.compile(r"(?P<name>[a-z]+)=(?P<soft>-?\d+)(?::(?P<hard>-?\d+))?")


class Configuration(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """One daemon. A field `data_root` is `data-root` in the file and `--data-root` on the command line.

    Sizes are in bytes, `stop_timeout` in seconds; a `pool_size` of 0 is a share of what is free.
    """

    data_root: str = "/var/lib/zonehost"
    run_root: str = "/run/zonehost"
    name: str = "default"
    host: tuple[str, ...] = ()
    tlscacert: str = ""
    tlscert: str = ""
    tlskey: str = ""
    insecure_tcp: bool = False
    storage_driver: Literal["auto", "btrfs", "directory"] = "auto"
    storage_opt: dict[str, str] = {}
    pool_size: int = 0
    debug: bool = False
    label: tuple[str, ...] = ()
    log_driver: str = "json-file"
    log_opt: dict[str, str] = {}
    default_ulimit: tuple[str, ...] = ()
    default_shm_size: int = 64 << 20
    stop_timeout: int = 10
    init: bool = False
    publish: Literal["all", "loopback"] = "all"
    """Where a published port answers that names no host address: on all of the host's, or on 127.0.0.1 only."""
    default_address_pool: tuple[str, ...] = ()
    """Blocks that networks without a subnet are cut from, as Docker writes them: `base=10.10.0.0/16,size=24`."""
    allow_metadata: bool = False
    """Whether zones may reach the cloud's metadata service (169.254.169.254)."""
    registry_mirror: tuple[str, ...] = ()
    insecure_registry: tuple[str, ...] = ()
    build_fresh: str = ""
    """How old a cached step of a build may be that asked outside: a duration of Go's, such as 24h; empty: any age."""

    @property
    def fresh(self) -> int | None:
        """`build_fresh` in nanoseconds, None for no bound."""
        return parse_duration(self.build_fresh) if self.build_fresh else None

    @property
    def address_bases(self) -> tuple[Base, ...]:
        """The blocks of `default_address_pool`."""
        return tuple(_base(text) for text in self.default_address_pool)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where the API listens."""
        return self.host or (f"unix://{self.run_root}/docker.sock",)

    @property
    def ulimits(self) -> tuple[Ulimit, ...]:
        """The limits of processes in zones that ask for none."""
        return tuple(_ulimit(text) for text in self.default_ulimit)


def configure(options: Mapping[str, Any], file: Path | None = None) -> Configuration:
    """The configuration from `options` (by field name; None: not given) over `file`.

    Without `file`, the one at its usual place is read if there is one.

    Raises:
        InvalidParameter: a file that cannot be read, an unknown name, a value that cannot be; names file and field.
    """
    read = _read(file or FILE, must_exist=file is not None)
    where = str(file or FILE) if read else "configuration"
    for name in read.keys() - {field.encode_name for field in msgspec.structs.fields(Configuration)}:
        raise InvalidParameter(f'{where}: there is no option "{name}"')
    given = {name.replace("_", "-"): value for name, value in options.items() if value is not None}
    try:
        configuration = msgspec.convert({**read, **given}, Configuration)
    except msgspec.ValidationError as error:
        raise InvalidParameter(f"{where}: {error}") from error
    _check(configuration)
    return configuration


def _read(file: Path, *, must_exist: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except FileNotFoundError as error:
        if must_exist:
            raise InvalidParameter(f"{file}: there is no such file") from error
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidParameter(f"{file}: {error}") from error


def _check(configuration: Configuration) -> None:
    if not _NAME.fullmatch(configuration.name):
        raise InvalidParameter(f'name "{configuration.name}": only [a-zA-Z0-9][a-zA-Z0-9_.-], 64 characters at most')
    for field in ("data_root", "run_root"):
        if not Path(getattr(configuration, field)).is_absolute():
            raise InvalidParameter(f'{field.replace("_", "-")} "{getattr(configuration, field)}": must be absolute')
    files = [configuration.tlscacert, configuration.tlscert, configuration.tlskey]
    if any(files) and not all(files):
        raise InvalidParameter("tlscacert, tlscert and tlskey belong together: give all three or none")
    for name in ("default_shm_size", "pool_size", "stop_timeout"):
        if getattr(configuration, name) < 0:
            raise InvalidParameter(f"{name.replace('_', '-')}: must not be negative")
    if configuration.build_fresh and (configuration.fresh is None or configuration.fresh < 0):
        raise InvalidParameter(f'build-fresh "{configuration.build_fresh}": must be a duration, such as 24h')
    storage_quota(HostConfig(storage_opt=configuration.storage_opt))
    if configuration.storage_opt and configuration.storage_driver == "directory":
        raise InvalidParameter("storage-opt: the storage driver directory has no quotas")
    _ = configuration.ulimits
    _ = configuration.address_bases


def _ulimit(text: str) -> Ulimit:
    found = _ULIMIT.fullmatch(text)
    if not found:
        raise InvalidParameter(f'default-ulimit "{text}": must be NAME=SOFT[:HARD]')
    soft = int(found["soft"])
    return Ulimit(name=found["name"], soft=soft, hard=int(found["hard"] or soft))


def _base(text: str) -> Base:
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    try:
        block, size = ip_network(fields.pop("base")), int(fields.pop("size"))
    except (KeyError, ValueError):
        raise InvalidParameter(f'default-address-pool "{text}": must be base=SUBNET,size=PREFIX-LENGTH') from None
    if fields or not block.prefixlen <= size <= block.max_prefixlen - 1:
        raise InvalidParameter(f'default-address-pool "{text}": a size from that of the base up, and nothing else')
    return Base(block, size)
