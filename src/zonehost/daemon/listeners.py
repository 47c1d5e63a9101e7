"""Where the daemon listens: unix sockets, its own or those of a service manager, TCP with mutual TLS, and plain TCP on
loopback if that is insisted on.

Owns sockets and who may connect; knows nothing of what is spoken on them. Whoever can speak to the API is root of the
host: so a unix socket belongs to root and the group `docker`, and TCP asks for a certificate from every client.
"""

from __future__ import annotations

import asyncio
import grp
import ipaddress
import os
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zonehost.daemon.activation import inherited
from zonehost.daemon.tls import Tls, TlsFront
from zonehost.errors import Conflict, InvalidParameter, SystemFailure

GROUP: Final = "docker"
_MODE: Final = 0o660
_BACKLOG: Final = 1024
_TLS_PORT: Final = 2376
_PLAIN_PORT: Final = 2375
# unix(7): sun_path holds 108 bytes, the last of them a null.
_PATH_BYTES: Final = 107


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A socket in the file system."""

    path: str

    def __str__(self) -> str:
        return f"unix://{self.path}"


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """An IP address and a port; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class InheritedAddress:
    """The sockets that the service manager passes (`activation`)."""

    def __str__(self) -> str:
        return "fd://"


Address = UnixAddress | TcpAddress | InheritedAddress


def parse_address(text: str, *, tls: bool) -> Address:
    """Read `unix:///path`, `tcp://address[:port]` or `fd://`; the port is Docker's, 2376 with TLS and 2375 without.

    Raises:
        InvalidParameter: it is none of these; says why.
    """
    scheme, separator, rest = text.partition("://")
    if scheme == "fd" and separator and rest in ("", "*"):
        return InheritedAddress()
    if scheme == "unix" and separator:
        if not rest.startswith("/"):
            raise InvalidParameter(f'host "{text}": the path of a unix socket must be absolute')
        if len(os.fsencode(rest)) > _PATH_BYTES:
            raise InvalidParameter(f'host "{text}": the path of a unix socket must not exceed {_PATH_BYTES} bytes')
        return UnixAddress(rest)
    if scheme != "tcp" or not separator:
        raise InvalidParameter(f'host "{text}": only unix:///PATH, tcp://ADDRESS:PORT and fd:// are known')
    name, port = _split_port(rest.rstrip("/"), _TLS_PORT if tls else _PLAIN_PORT)
    try:
        return TcpAddress(str(ipaddress.ip_address("127.0.0.1" if name == "localhost" else name)), int(port))
    except ValueError as error:
        raise InvalidParameter(f'host "{text}": {error}') from None


async def listen(
    address: Address, connection: Callable[[], asyncio.Protocol], *, tls: Tls | None, insecure_tcp: bool
) -> list[asyncio.Server]:
    """Accept connections at the address, each with a protocol of its own.

    Raises:
        InvalidParameter: plain TCP that is not loopback, or not insisted on; TLS files that cannot be used; no sockets
        were passed.
        Conflict: another process listens there.
        SystemFailure: the socket cannot be made.
    """
    loop = asyncio.get_running_loop()
    if isinstance(address, UnixAddress):
        return [await loop.create_unix_server(connection, sock=_unix_socket(address), backlog=_BACKLOG)]
    if isinstance(address, InheritedAddress):
        # Not create_unix_server(): from Python 3.13 on, the end of its server removes the socket's file.
        return [await loop.create_server(connection, sock=sock, backlog=_BACKLOG) for sock in inherited(os.environ)]
    if tls is None:
        _check_plain(address, insecure_tcp=insecure_tcp)
    try:
        if tls is not None:
            front = TlsFront(tls.context(), connection)
            return [await asyncio.start_server(front.serve, address.host, address.port, backlog=_BACKLOG)]
        return [await loop.create_server(connection, address.host, address.port, backlog=_BACKLOG)]
    except OSError as error:
        raise Conflict(f"cannot listen on {address}: {os.strerror(error.errno or 0)}") from error


def forget(address: Address) -> None:
    """Remove what a closed listener leaves in the file system. Idempotent."""
    if isinstance(address, UnixAddress):
        Path(address.path).unlink(missing_ok=True)


def _split_port(text: str, default: int) -> tuple[str, str | int]:
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, rest.removeprefix(":") or default
    host, _, port = text.partition(":") if text.count(":") < 2 else (text, "", "")
    return host, port or default


def _check_plain(address: TcpAddress, *, insecure_tcp: bool) -> None:
    advice = "give --tlscacert, --tlscert and --tlskey"
    if not ipaddress.ip_address(address.host).is_loopback:
        raise InvalidParameter(f"{address} without TLS would make everyone in the network root of this host: {advice}")
    if not insecure_tcp:
        raise InvalidParameter(
            f"{address} without TLS would make every user of this host root: {advice}, or insist with --insecure-tcp"
        )


def _unix_socket(address: UnixAddress) -> socket.socket:
    """A socket that has its owner and mode before anyone can connect: that begins with listen(2)."""
    path = Path(address.path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(path)
        listener.bind(address.path)
        os.chown(path, -1, _group())
        path.chmod(_MODE)
    except OSError as error:
        listener.close()
        raise SystemFailure(f"cannot listen on {address}: {error.strerror}") from error
    except BaseException:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _clear(path: Path) -> None:
    """Take away the socket of a daemon that died. Anything else there is not ours to remove."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise Conflict(f"cannot listen on unix://{path}: there is a file that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink()
            return
    raise Conflict(f"cannot listen on unix://{path}: another process listens there")


def _group() -> int:
    """The group `docker`, else root's."""
    try:
        return grp.getgrnam(GROUP).gr_gid
    except KeyError:
        return 0
