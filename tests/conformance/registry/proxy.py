"""A web proxy on loopback for tests, which knows where hosts are that no DNS knows."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field


@dataclass
class WebProxy:
    """Forwards requests in the clear and tunnels (RFC 9110, 9.3.6), a connection for each host.

    `hosts` leads from `NAME:PORT`, as clients ask for it, to `ADDRESS:PORT`. With a `login`, `name:password`, nobody
    else is served. `asked` has method and host of each connection's first request.
    """

    hosts: dict[str, str] = field(default_factory=dict)
    login: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve; gives `127.0.0.1:PORT`."""
        self._connections: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        try:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, _ = head.decode().split(" ", 2)
            host = target.removeprefix("http://").split("/", 1)[0]
            host = host if ":" in host else f"{host}:80"
            self.asked.append((method, host))
            expected = f"Proxy-Authorization: Basic {base64.b64encode(self.login.encode()).decode()}\r\n"
            if self.login and expected.encode() not in head:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            elif host not in self.hosts:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            else:
                await self._forward(head, self.hosts[host], reader, writer, tunnel=method == "CONNECT")

    async def _forward(
        self, head: bytes, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, tunnel: bool
    ) -> None:
        """Pass bytes on; a server takes requests that name the host (RFC 9112, 3.2.2)."""
        name, port = address.rsplit(":", 1)
        far_reader, far_writer = await asyncio.open_connection(name, int(port))
        with contextlib.closing(far_writer):
            if tunnel:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                far_writer.write(head)
            ways = {asyncio.create_task(_relay(*way)) for way in ((reader, far_writer), (far_reader, writer))}
            self._connections |= ways
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)


async def _relay(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
