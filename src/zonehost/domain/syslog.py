"""Where and how lines of a container's output go to syslog: the options of Docker's syslog log driver.

Formats: the local one of syslog(3), RFC 3164, and RFC 5424 with whole seconds or microseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from zonehost.domain.log_attributes import TAG_FIELDS, log_tag
from zonehost.errors import InvalidParameter, Unsupported

DEFAULT_SOCKET: Final = "/dev/log"
DEFAULT_PORT: Final = 514
_ERROR, _INFO = 3, 6
_SECOND: Final = 1_000_000_000
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FACILITIES: Final = (
    "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp",
    "local0 local1 local2 local3 local4 local5 local6 local7",
)
_NUMBERS: Final = {
    **{name: number for number, name in enumerate(_FACILITIES[0].split())},
    **{name: number for number, name in enumerate(_FACILITIES[1].split(), start=16)},
}
_FORMATS: Final = frozenset({"", "rfc3164", "rfc5424", "rfc5424micro"})


@dataclass(frozen=True, slots=True)
class SyslogTarget:
    """A receiver. `network` is unix, unixgram, tcp or udp; `address` a path, or host and port."""

    network: str
    address: str
    port: int
    facility: int
    format: str
    tag: str
    hostname: str


def check_syslog(options: Mapping[str, str]) -> None:
    """Look through the options of the log driver.

    Raises:
        InvalidParameter: one is badly written. Unsupported: the address asks for TLS.
    """
    syslog_target(options, dict.fromkeys(TAG_FIELDS, ""), "")


def syslog_target(options: Mapping[str, str], fields: Mapping[str, str], hostname: str) -> SyslogTarget:
    """The receiver that the options name; `fields` are what a tag may be made of (ID, Name, ImageName…).

    Raises:
        As `check_syslog`.
    """
    format_ = options.get("syslog-format", "")
    if format_ not in _FORMATS:
        raise InvalidParameter(f"invalid syslog format: {format_}")
    network, address, port = _address(options.get("syslog-address", ""))
    return SyslogTarget(
        network=network,
        address=address,
        port=port,
        facility=_facility(options.get("syslog-facility", "daemon")),
        format=format_,
        tag=log_tag(options.get("tag", "{{.ID}}"), fields),
        hostname=hostname,
    )


def syslog_message(target: SyslogTarget, pid: int, time: int, *, error: bool, line: bytes) -> bytes:
    """One line as the receiver wants it, with its framing where it goes over a byte stream.

    `time` is nanoseconds since the epoch; local formats write UTC.
    """
    moment = datetime.fromtimestamp(time // _SECOND, UTC)
    priority = target.facility * 8 + (_ERROR if error else _INFO)
    stamp = f"{_MONTHS[moment.month - 1]} {moment.day:2d} {moment:%H:%M:%S}"
    if target.format.startswith("rfc5424"):
        fraction = f".{time % _SECOND // 1000:06d}" if target.format == "rfc5424micro" else ""
        when = f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}+00:00"
        head = f"<{priority}>1 {when} {target.hostname} {target.tag} {pid} {target.tag} - "
    elif target.format == "rfc3164":
        head = f"<{priority}>{stamp} {target.hostname} {target.tag}[{pid}]: "
    else:
        head = f"<{priority}>{stamp} {target.tag}[{pid}]: "
    message = head.encode() + line.rstrip(b"\n")
    if target.network != "tcp":
        return message
    # Octet counting for RFC 5424 (RFC 6587, section 3.4.1), a newline for the others, as Docker does.
    return b"%d %b" % (len(message), message) if target.format.startswith("rfc5424") else message + b"\n"


def _address(text: str) -> tuple[str, str, int]:
    if not text:
        return "unixgram", DEFAULT_SOCKET, 0
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise InvalidParameter(f"invalid syslog-address: {text}") from error
    if parts.scheme == "tcp+tls":
        raise Unsupported("log opt 'syslog-address': TLS is not supported")
    if parts.scheme in ("unix", "unixgram") and parts.path:
        return parts.scheme, parts.path, 0
    if parts.scheme in ("tcp", "udp") and parts.hostname:
        return parts.scheme, parts.hostname, port or DEFAULT_PORT
    raise InvalidParameter(f"invalid syslog-address: {text}")


def _facility(text: str) -> int:
    if text in _NUMBERS:
        return _NUMBERS[text]
    if text.isdecimal() and int(text) < 24:
        return int(text)
    raise InvalidParameter("invalid syslog facility")
