"""The daemon's end of the resolver: starts it, gives it each zone's sockets and names, and takes them back.

A zone asks at 127.0.0.11:53, as in Docker; rules in its own namespace lead that to the resolver's two sockets, so that
a zone may serve port 53 itself. Blocking calls for worker threads; each is done when it returns.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

from zonehost.domain.etc_files import RESOLVER
from zonehost.drivers.network.resolver.views import Zone
from zonehost.errors import InvalidParameter, SystemFailure
from zonehost.linux import pidfd
from zonehost.linux.dialling import dial
from zonehost.linux.netlink import Channel, entered
from zonehost.linux.netlink_redirect import Redirect, install
from zonehost.linux.netlink_sets import NETFILTER
from zonehost.linux.vacate import vacate

log = logging.getLogger(__name__)
_SECONDS: Final = 5.0
"""How long an order may take."""
_LARGEST: Final = 200_000
"""Bytes of an order: a message of a socket has at most net.core.wmem_default of them, which is 212,992."""
_TABLE: Final = "zonehost-resolver"
_PORT: Final = 53
_SO_PEERPIDFD: Final = 77
"""unix(7): the process that called listen(2), here the resolver (`resolver.__main__`). Of Linux 6.5."""


class Lost(Exception):
    """The resolver's process has ended, and with it the sockets that it had."""


class Resolver:
    """The resolver of one instance; `socket_path` is where it takes orders, also from the daemon's next process."""

    def __init__(self, socket_path: Path) -> None:
        self._path = socket_path
        self._log = socket_path.with_suffix(".log")
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._lifeline: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it took the last order."""
        return self._connection is not None

    def start(self) -> None:
        """Have it run. Idempotent."""
        with self._lock:
            self._connect(start=True)

    def take_lifeline(self) -> socket.socket | None:
        """A connection that can be read once the resolver has ended, the caller's own; None if it was taken before."""
        lifeline, self._lifeline = self._lifeline, None
        return lifeline

    def known(self) -> frozenset[str]:
        """The zones that it listens for, of a resolver that runs; it is not started for this."""
        try:
            return frozenset(self._order({"list": True}))
        except Lost:
            return frozenset()

    def put(self, zone: Zone, netns: int | None = None, *, again: bool = False) -> None:
        """Let the zone have this view; with its namespace, let it be heard there: for the first time, or `again`.

        Raises:
            Lost: the resolver has ended: put all zones again, with their namespaces.
            InvalidParameter: the names are more than an order can hold.
            SystemFailure: the namespace's sockets or rules cannot be made.
        """
        with ExitStack() as stack:
            sockets = [stack.enter_context(made) for made in _ears(netns, again=again)] if netns is not None else []
            self._order({"put": _as_json(zone)}, [made.fileno() for made in sockets], start=netns is not None)

    def drop(self, zone: str) -> None:
        """Forget the zone and close its sockets. Idempotent."""
        with suppress(Lost):
            self._order({"drop": zone})

    def quit(self) -> None:
        """End the process, if it runs."""
        with suppress(Lost):
            self._order({"quit": True})
        self.leave()
        if self._process is not None:
            self._process.wait(_SECONDS)
        for path in (self._path, self._log):
            vacate(path)

    def leave(self) -> None:
        """Let it go on alone."""
        with self._lock:
            self._disconnect()

    def _order(self, order: dict[str, Any], descriptors: Sequence[int] = (), *, start: bool = False) -> Any:
        text = json.dumps(order).encode()
        if len(text) > _LARGEST:
            raise InvalidParameter(f"the container's names in its networks have more than {_LARGEST:,} bytes")
        with self._lock:
            connection = self._connect(start=start)
            try:
                socket.send_fds(connection, [text], descriptors)
                answer = connection.recv(1 << 20)
            except OSError as error:
                if isinstance(error, TimeoutError):
                    self._kill(connection)
                self._disconnect()
                raise Lost from error
            if not answer:
                self._disconnect()
                raise Lost
            return json.loads(answer)

    def _connect(self, *, start: bool) -> socket.socket:
        if self._connection is None:
            try:
                self._connection = dial(str(self._path), _SECONDS)
            except (FileNotFoundError, ConnectionRefusedError) as error:
                if not start:
                    raise Lost from error
                self._spawn()
                self._connection = dial(str(self._path), _SECONDS)
            self._lifeline = dial(str(self._path), _SECONDS)
        return self._connection

    def _spawn(self) -> None:
        vacate(self._path)
        if self._log.is_dir():
            vacate(self._log)
        if self._process is not None:
            self._process.wait(_SECONDS)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC) as control:
            control.bind(str(self._path))
            self._path.chmod(0o600)
            control.listen()
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "zonehost.drivers.network.resolver", str(control.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    pass_fds=[control.fileno()],
                    start_new_session=True,
                )

    def _kill(self, connection: socket.socket) -> None:
        """End a resolver that does not answer, whoever started it."""
        log.error("the resolver has not answered for %d seconds, and is killed", _SECONDS)
        vacate(self._path)
        if self._process is not None:
            self._process.kill()
        else:
            try:
                process = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD)
            except OSError:  # an older zonehost listened before it started the resolver, and has ended
                return
            try:
                pidfd.send(process, signal.SIGKILL)
            finally:
                os.close(process)

    def _disconnect(self) -> None:
        for used in (self._connection, self._lifeline):
            if used is not None:
                used.close()
        self._connection = self._lifeline = None


def _as_json(zone: Zone) -> dict[str, Any]:
    return {**zone._asdict(), "places": [place._asdict() for place in zone.places]}


def _ears(netns: int, *, again: bool) -> list[socket.socket]:
    """Sockets for datagrams and streams in the namespace, and the rules that lead port 53 of our address to them."""
    with ExitStack() as undo:
        try:
            with entered(netns):
                datagrams = undo.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC))
                streams = undo.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC))
                for made in (datagrams, streams):
                    made.bind((RESOLVER, 0))
                streams.listen()
                with Channel(NETFILTER) as channel:
                    install(channel, _TABLE, _redirects(datagrams, streams), again=again)
        except OSError as error:
            raise SystemFailure(f"resolver of the container: {os.strerror(error.errno or 0)}") from error
        undo.pop_all()
        return [datagrams, streams]


def _redirects(datagrams: socket.socket, streams: socket.socket) -> list[Redirect]:
    return [
        Redirect(IPv4Address(RESOLVER), protocol, _PORT, made.getsockname()[1])
        for protocol, made in ((socket.IPPROTO_UDP, datagrams), (socket.IPPROTO_TCP, streams))
    ]
