"""Durations as Go writes them (`1h30m`, `1.5s`, `24h`). Source: the documentation of Go's time.ParseDuration."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")


def format_duration(nanoseconds: int) -> str:
    """The duration as Go prints it (time.Duration.String): `300ms`, `1.5s`, `1h30m0s`."""
    if abs(nanoseconds) < 10**9:
        unit = next((unit for unit in ("ms", "µs") if abs(nanoseconds) >= _UNITS[unit]), "ns")
        return f"{_plain(nanoseconds, _UNITS[unit])}{unit}" if nanoseconds else "0s"
    sign = "-" if nanoseconds < 0 else ""
    minutes, rest = divmod(abs(nanoseconds), _UNITS["m"])
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{head}{_plain(rest, _UNITS['s'])}s"


def _plain(count: int, unit: int) -> str:
    """The quotient, in digits without an exponent or trailing zeros."""
    return f"{Decimal(count) / unit:f}"


def parse_duration(text: str) -> int | None:
    """The duration in nanoseconds, or None where the text is none."""
    sign = -1 if text.startswith("-") else 1
    body = text.removeprefix("-") if sign < 0 else text.removeprefix("+")
    if body == "0":
        return 0
    total = Decimal(0)
    at = 0
    while at < len(body):
        match = _PART.match(body, at)
        if not match:
            return None
        total += Decimal(match[1]) * _UNITS[match[2]]
        at = match.end()
    return sign * int(total) if body else None
