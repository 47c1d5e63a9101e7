"""Host ports that zones hold: each is really bound, so nothing else on the host can have it meanwhile.

Traffic never reaches these sockets, since the firewall leads it to the zone before. Blocking calls, each of
microseconds; safe for threads.
"""

from __future__ import annotations

import errno
import itertools
import os
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from zonehost.domain.network import PublishedPort
from zonehost.errors import Conflict, InvalidParameter, SystemFailure, Unavailable
from zonehost.linux import socket_filter, sysctl

_ANY = ("0.0.0.0", "::")
_TYPES = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A port of a zone to publish: the same host port, from `first` to `last`, on each of the addresses.

    `routed`: of these families it answers on the zone's own address, and no host port is held.
    """

    port: int
    protocol: str
    addresses: tuple[str, ...]
    first: int
    last: int
    routed: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether there is no choice."""
        return self.first == self.last != 0


class Reservations:
    """All ports that the zones of an instance hold."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: dict[tuple[str, int], set[str]] = {}
        self._held: dict[str, list[tuple[PublishedPort, socket.socket | None]]] = {}
        self._next: dict[tuple[int, int], int] = {}

    def reserve(self, zone: str, wanted: Sequence[Wanted]) -> tuple[PublishedPort, ...]:
        """Hold a host port for each; all of them, or none. Those that leave no choice first, as in Docker.

        Raises:
            Conflict: one is taken, in Docker's words.
            InvalidParameter: an address is not of this host.
        """
        got: dict[int, list[tuple[PublishedPort, socket.socket | None]]] = {}
        with self._lock:
            try:
                for number in sorted(range(len(wanted)), key=lambda number: not wanted[number].exact):
                    want = wanted[number]
                    got[number] = self._one(want) if want.addresses else []
                    got[number] += ((_routed(want, address), None) for address in want.routed)
            except BaseException:
                self._drop(itertools.chain(*got.values()))
                raise
            held = [one for number in sorted(got) for one in got[number]]
            self._held.setdefault(zone, []).extend(held)
        return tuple(published for published, _ in held)

    def restore(self, zone: str, ports: Iterable[PublishedPort]) -> list[str]:
        """Hold again what a zone held before a restart; what could not be bound, in words. Idempotent."""
        lost: list[str] = []
        with self._lock:
            held = self._held.setdefault(zone, [])
            known = {published for published, _ in held}
            for published in ports:
                if published in known:
                    continue
                if not published.host_port:
                    held.append((published, None))
                    continue
                bound: socket.socket | None = None
                try:
                    bound = _bind(published.protocol, published.host_ip, published.host_port)
                except (Conflict, InvalidParameter) as error:
                    lost.append(str(error))
                self._mark(published)
                held.append((published, bound))
        return lost

    def release(self, zone: str) -> None:
        """Let go of all that the zone holds. Idempotent."""
        with self._lock:
            self._drop(self._held.pop(zone, []))

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            for held in self._held.values():
                self._drop(held)
            self._held.clear()

    def _one(self, want: Wanted) -> list[tuple[PublishedPort, socket.socket | None]]:
        if want.exact:
            return self._exactly(want, want.first)
        for port in self._in_turn(want.first, want.last):
            with suppress(Conflict):
                return self._exactly(want, port)
        raise Conflict("all ports are allocated")

    def _in_turn(self, first: int, last: int) -> Iterator[int]:
        """The range once, from where the last search in it ended: a port given back rests for a while, as in Docker."""
        if not first:
            first, last = (int(word) for word in sysctl.read("net.ipv4.ip_local_port_range").split())
        size = last - first + 1
        begin = self._next.get((first, last), 0)
        for step in range(size):
            offset = (begin + step) % size
            self._next[first, last] = (offset + 1) % size
            yield first + offset

    def _exactly(self, want: Wanted, port: int) -> list[tuple[PublishedPort, socket.socket | None]]:
        got: list[tuple[PublishedPort, socket.socket | None]] = []
        try:
            for address in want.addresses:
                published = PublishedPort(port=want.port, protocol=want.protocol, host_ip=address, host_port=port)
                if self._overlaps(published):
                    raise Conflict(f"Bind for {_authority(address, port)} failed: port is already allocated")
                got.append((published, _bind(want.protocol, address, port)))
                self._mark(published)
        except BaseException:
            self._drop(got)
            raise
        return got

    def _overlaps(self, published: PublishedPort) -> bool:
        taken = self._taken.get((published.protocol, published.host_port), set())
        same = {address for address in taken if (":" in address) == (":" in published.host_ip)}
        if published.host_ip in _ANY:
            return bool(same)
        return published.host_ip in same or not same.isdisjoint(_ANY)

    def _mark(self, published: PublishedPort) -> None:
        self._taken.setdefault((published.protocol, published.host_port), set()).add(published.host_ip)

    def _drop(self, held: Iterable[tuple[PublishedPort, socket.socket | None]]) -> None:
        for published, bound in held:
            if bound is not None:
                bound.close()
            key = (published.protocol, published.host_port)
            addresses = self._taken.get(key, set())
            addresses.discard(published.host_ip)
            if not addresses:
                self._taken.pop(key, None)


def _routed(want: Wanted, address: str) -> PublishedPort:
    return PublishedPort(port=want.port, protocol=want.protocol, host_ip=address, host_port=0)


def _authority(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _bind(protocol: str, address: str, port: int) -> socket.socket | None:
    """A bound socket; None where this kernel has no such protocol, so that nobody else can bind it either."""
    kind, number = _TYPES[protocol]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        bound = socket.socket(family, kind | socket.SOCK_CLOEXEC, number)
    except OSError as error:
        if error.errno in (errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT):
            return None
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise Unavailable("the daemon has no file descriptor left to hold a port (RLIMIT_NOFILE)") from error
        raise SystemFailure(
            f"failed to bind host port {_authority(address, port)}/{protocol}: {error.strerror}"
        ) from error
    try:
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if protocol == "tcp":
            _bind_stream(bound, address, port)
        else:
            bound.bind((address, port))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)
    except OSError as error:
        bound.close()
        failure = f"failed to bind host port {_authority(address, port)}/{protocol}: "
        if error.errno == errno.EADDRNOTAVAIL:
            raise InvalidParameter(failure + "cannot assign requested address") from error
        if error.errno == errno.EADDRINUSE:
            raise Conflict(failure + "address already in use") from error
        raise SystemFailure(failure + os.strerror(error.errno or 0)) from error
    return bound


def _bind_stream(bound: socket.socket, address: str, port: int) -> None:
    """Bind against live sockets but not against the TIME_WAIT ones that a server before us left.

    That takes SO_REUSEADDR. Two such sockets collide only when one listens, so this one listens, at least until the
    option is off again. An IPv4 one goes on, deaf: should somebody flush the rules, packets of translated connections
    come here until they are written anew, and no reset ends what was begun. An IPv6 one must not: a client would wait
    at ::1, which cannot be translated, when it should go on to 127.0.0.1. There shutdown(2) ends the listening and
    keeps the address (tcp_disconnect in the kernel).
    """
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((address, port))
    if bound.family == socket.AF_INET:
        socket_filter.drop_all(bound)
    bound.listen(1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    if bound.family == socket.AF_INET6:
        bound.shutdown(socket.SHUT_RD)
