"""The resolver's loop: zones' sockets, the daemon's orders, and what is asked outside. One thread, but for TCP."""

from __future__ import annotations

import json
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle
from typing import Any, Final

from zonehost.drivers.network.resolver import wire
from zonehost.drivers.network.resolver.datagrams import SIZE, Exchange
from zonehost.drivers.network.resolver.forward import Forwarder, HostServers, ask_by_stream, read_message
from zonehost.drivers.network.resolver.views import Directory, Place, Zone

_CACHED: Final = 1024
_STREAMS: Final = 16
"""Connections of one zone that are served at once; another zone's wait for none of them."""
_OUTSIDE: Final = 128
"""Questions of one zone that are put outside at once, a part of what may be of all (`forward.MOST`)."""
_STREAM_SECONDS: Final = 10.0
_LARGEST_ORDER: Final = 1 << 18


class _Ears:
    """A zone's two sockets, and answers that stay right until the directory changes."""

    def __init__(self, zone: str, datagrams: socket.socket, streams: socket.socket) -> None:
        self.zone = zone
        self.datagrams = datagrams
        self.streams = streams
        self.cache: dict[bytes, cycle[bytes]] = {}
        self.served = threading.BoundedSemaphore(_STREAMS)
        self.outside = 0
        """Questions of the zone that are put outside now."""


class Server:
    """Everything that the process has.

    It outlives the daemon, but not for ever: without a daemon for `patience` seconds it ends once it has no zone, or
    nobody can find it any more because the name of its socket is gone.
    """

    def __init__(self, control: socket.socket, *, patience: float = 30.0) -> None:
        self._path: str = control.getsockname()
        self._patience = patience
        self._daemons = 0
        self._alone_since = time.monotonic()
        self._poll = select.epoll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._directory = Directory()
        self._exchange = Exchange()
        self._ears: dict[str, _Ears] = {}
        self._host = HostServers()
        self._forwarder = Forwarder(self._watch)
        self._running = True
        control.setblocking(False)
        self._watch(control, lambda: self._accept(control))

    def run(self) -> None:
        """Serve until told to quit."""
        while self._running:
            for descriptor, _ in self._poll.poll(self._wait()):
                handler = self._handlers.get(descriptor)
                if handler is not None:
                    handler()
            self._forwarder.expire()
            if not self._daemons and time.monotonic() - self._alone_since >= self._patience:
                self._running = bool(self._ears) and os.path.exists(self._path)
                self._alone_since = time.monotonic()

    def _wait(self) -> float:
        """Seconds until something is due, -1 for never."""
        due = self._forwarder.wait()
        if self._daemons:
            return due
        left = max(0.0, self._alone_since + self._patience - time.monotonic())
        return left if due < 0 else min(due, left)

    def _watch(self, watched: socket.socket, handler: Callable[[], None] | None) -> None:
        descriptor = watched.fileno()
        if handler is None:
            if self._handlers.pop(descriptor, None) is not None:
                self._poll.unregister(descriptor)
            return
        if descriptor not in self._handlers:
            self._poll.register(descriptor, select.EPOLLIN)
        self._handlers[descriptor] = handler

    def _accept(self, control: socket.socket) -> None:
        daemon, _ = control.accept()
        self._daemons += 1
        self._watch(daemon, lambda: self._obey(daemon))

    def _obey(self, daemon: socket.socket) -> None:
        """One order of the daemon; its answer says that it is done."""
        try:
            order, descriptors, _, _ = socket.recv_fds(daemon, _LARGEST_ORDER, 2)
        except OSError:
            order, descriptors = b"", []
        if not order:
            self._watch(daemon, None)
            daemon.close()
            self._daemons -= 1
            self._alone_since = time.monotonic()
            return
        result = self._carry_out(json.loads(order), [socket.socket(fileno=fd) for fd in descriptors])
        with suppress(OSError):
            daemon.send(json.dumps(result).encode())

    def _carry_out(self, order: dict[str, Any], sockets: list[socket.socket]) -> Any:
        for ears in self._ears.values():
            ears.cache.clear()
        match order:
            case {"put": zone}:
                self._directory.put(_zone(zone))
                if sockets:
                    self._deafen(zone["id"])
                    self._listen(zone["id"], *sockets)
            case {"drop": zone}:
                self._directory.drop(zone)
                self._deafen(zone)
            case {"quit": _}:
                self._running = False
            case {"list": _}:
                return sorted(self._ears)
        return []

    def _listen(self, zone: str, datagrams: socket.socket, streams: socket.socket) -> None:
        ears = self._ears[zone] = _Ears(zone, datagrams, streams)
        for ear in (datagrams, streams):
            ear.setblocking(False)
        self._watch(datagrams, lambda: self._answer(ears))
        self._watch(streams, lambda: self._take_stream(ears))

    def _deafen(self, zone: str) -> None:
        ears = self._ears.pop(zone, None)
        for ear in (ears.datagrams, ears.streams) if ears else ():
            self._watch(ear, None)
            ear.close()

    def _answer(self, ears: _Ears) -> None:
        """What one zone has asked by now; the others have their turn before it asks more."""
        exchange, cache = self._exchange, ears.cache
        first = position = 0
        for position, query in enumerate(exchange.receive(ears.datagrams), 1):
            known = cache.get(query[2:])
            if known is None:
                exchange.send(ears.datagrams, first, position - 1)
                first = position
                self._find(ears, query, exchange.sender(position - 1))
            else:
                exchange.answer(position - 1, query[:2] + next(known))
        exchange.send(ears.datagrams, first, position)

    def _find(self, ears: _Ears, query: bytes, asker: Any) -> None:
        local = self._local(ears.zone, query)
        if local is not None:
            if len(ears.cache) < _CACHED and 0 < len(local[0]) <= SIZE - len(query[:2]):
                ears.cache[query[2:]] = cycle(local)
            _send(ears.datagrams, query[:2] + local[0], asker)
            return
        datagrams = ears.datagrams
        size = wire.read_question(query).size

        if ears.outside >= _OUTSIDE:
            _send(datagrams, wire.refusal(query, wire.SERVER_FAILURE), asker)
            return
        ears.outside += 1

        def reply(answer: bytes | None) -> None:
            ears.outside -= 1
            found = answer or wire.refusal(query, wire.SERVER_FAILURE)
            _send(datagrams, found if len(found) <= size else wire.truncated(found, query), asker)

        self._forwarder.ask(query, self._servers(ears.zone), reply)

    def _local(self, zone: str, query: bytes, *, limit: int = 0) -> list[bytes] | None:
        """What the zones' names answer, in each of its turns, without id; None if this must be asked outside."""
        try:
            question = wire.read_question(query)
        except wire.Malformed:
            return [wire.refusal(query, wire.FORMAT_ERROR)[2:]] if len(query) >= wire.HEADER else [b""]
        if wire.opcode(question.flags):
            return [wire.refusal(query, wire.NOT_IMPLEMENTED)[2:]]
        values = self._directory.look_up(zone, question.name, question.kind)
        if values is not None:
            turns = range(len(values) or 1)
            return [wire.answer(question, [*values[n:], *values[:n]], limit=limit) for n in turns]
        if not self._servers(zone):
            return [wire.answer(question, [], code=wire.SERVER_FAILURE, limit=limit)]
        return None

    def _servers(self, zone: str) -> tuple[str, ...]:
        known = self._directory.zones.get(zone)
        if known is None or not known.outside:
            return ()
        return known.servers or self._host.current()

    def _take_stream(self, ears: _Ears) -> None:
        try:
            stream, _ = ears.streams.accept()
        except OSError:
            return
        if ears.served.acquire(blocking=False):
            threading.Thread(target=self._serve_stream, args=(ears, stream), daemon=True).start()
        else:
            stream.close()

    def _serve_stream(self, ears: _Ears, stream: socket.socket) -> None:
        try:
            with stream, suppress(OSError):
                stream.settimeout(_STREAM_SECONDS)
                while query := read_message(stream):
                    local = self._local(ears.zone, query, limit=wire.LARGEST)
                    found = query[:2] + local[0] if local else ask_by_stream(query, self._servers(ears.zone))
                    found = found or wire.refusal(query, wire.SERVER_FAILURE)
                    stream.sendall(len(found).to_bytes(2, "big") + found)
        finally:
            ears.served.release()


def _send(datagrams: socket.socket, answer: bytes, asker: Any) -> None:
    """Answer, if the asker still listens; a full buffer loses an answer, as UDP may."""
    if len(answer) >= wire.HEADER:
        with suppress(OSError):
            datagrams.sendto(answer, asker)


def _zone(order: dict[str, Any]) -> Zone:
    places = tuple(
        Place(
            network=place["network"],
            network_name=place["network_name"],
            names=tuple(place["names"]),
            ipv4=place["ipv4"],
            ipv6=place["ipv6"],
            links=tuple((alias, name) for alias, name in place["links"]),
        )
        for place in order["places"]
    )
    return Zone(order["id"], places, tuple(order["servers"]), order["outside"])
