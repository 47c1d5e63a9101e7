"""Log drivers and their options: which there are, what their bounds are when none are given."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from zonehost.domain.host_config import LogConfig
from zonehost.domain.log_attributes import OPTIONS, check_log_attributes
from zonehost.domain.syslog import check_syslog
from zonehost.errors import InvalidParameter, Unsupported

DEFAULT_DRIVER: Final = "json-file"
_MIB: Final = 1 << 20
_DEFAULTS: Final = {"json-file": (10 * _MIB, 3), "local": (20 * _MIB, 5), "syslog": (10 * _MIB, 3)}
"""Bytes of a file and number of files. Docker's json-file grows without end; a zone is bounded."""
_OPTIONS: Final = {
    "json-file": frozenset({"max-size", "max-file"}) | OPTIONS,
    "local": frozenset({"max-size", "max-file"}),
    "syslog": frozenset({"syslog-address", "syslog-facility", "syslog-format", "tag"}),
    "none": frozenset[str](),
}
DRIVERS: Final = tuple(_OPTIONS)
_NOT_HERE: Final = {
    "json-file": frozenset({"compress", "max-buffer-size"}),
    "local": frozenset({"compress", "max-buffer-size"}),
    "syslog": frozenset(
        {
            "syslog-tls-ca-cert",
            "syslog-tls-cert",
            "syslog-tls-key",
            "syslog-tls-skip-verify",
            "labels",
            "labels-regex",
            "env",
            "env-regex",
            "max-buffer-size",
        }
    ),
    "none": frozenset[str](),
}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
_UNITS: Final = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}


@dataclass(frozen=True, slots=True)
class LogBounds:
    """How much of a log is kept: bytes of one file, and how many files."""

    max_size: int
    max_files: int


def check_log_config(config: LogConfig) -> None:
    """Look through a log driver and its options; an empty type is the default driver.

    Raises:
        InvalidParameter: there is no such driver or option, or a value is wrong.
        Unsupported: an option of Docker's that zonehost does not have.
    """
    driver = config.type or DEFAULT_DRIVER
    if driver not in _OPTIONS:
        raise InvalidParameter(f'error looking up logging plugin {driver}: plugin "{driver}" not found')
    for option, value in (config.config or {}).items():
        if option == "mode":
            if value not in ("", "blocking"):
                raise Unsupported(f"log opt 'mode={value}': logs are always blocking")
        elif option in _NOT_HERE[driver]:
            raise Unsupported(f"log opt '{option}' for {driver} log driver is not supported")
        elif option not in _OPTIONS[driver]:
            raise InvalidParameter(f"unknown log opt '{option}' for {driver} log driver")
    if driver == "syslog":
        check_syslog(config.config or {})
    if driver == "json-file":
        check_log_attributes(config.config or {})
    if driver != "none":
        log_bounds(config)


def log_bounds(config: LogConfig) -> LogBounds:
    """The bounds of a log that is kept in files.

    Raises:
        InvalidParameter: a value is badly written or too small.
    """
    options = config.config or {}
    max_size, max_files = _DEFAULTS[config.type or DEFAULT_DRIVER]
    if "max-size" in options:
        max_size = parse_size(options["max-size"], "max-size")
    if "max-file" in options:
        count = options["max-file"]
        if not count.isdecimal() or int(count) < 1:
            raise InvalidParameter("max-file cannot be less than 1")
        max_files = int(count)
    return LogBounds(max_size, max_files)


def parse_size(text: str, option: str) -> int:
    """Bytes of a size such as `10m` or `1.5g` (powers of 1024).

    Raises:
        InvalidParameter: it is badly written or not above zero.
    """
    match = _SIZE.fullmatch(text.strip())
    size = int(float(match[1]) * (1 << _UNITS[match[2].lower()])) if match else 0
    if size <= 0:
        raise InvalidParameter(f"invalid value for {option}: invalid size: '{text}'")
    return size
