"""TLS in front of connections, with half-close.

A client of `docker run -i` ends its side and reads on. asyncio's own TLS ends both directions when the peer says
close_notify, which RFC 8446 (section 6.1) does not ask for; so TLS ends here, and what is inside goes through a socket
pair to a plain connection.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from zonehost.errors import InvalidParameter

HANDSHAKE_SECONDS: Final = 30.0
_CHUNK: Final = 1 << 18

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tls:
    """Files, in PEM form: the authority of the clients' certificates, and the daemon's own certificate and key."""

    authority: str
    certificate: str
    key: str

    def context(self) -> ssl.SSLContext:
        """A server's context that refuses clients without a certificate of the authority.

        Raises:
            InvalidParameter: a file cannot be read, or is not what it should be.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_cert_chain(self.certificate, self.key)
            context.load_verify_locations(self.authority)
        except (OSError, ssl.SSLError) as error:
            raise InvalidParameter(f"cannot use the TLS files {self}: {error}") from error
        return context


class TlsFront:
    """Serves TLS connections; give `serve` to `asyncio.start_server`."""

    def __init__(self, context: ssl.SSLContext, connection: Callable[[], asyncio.Protocol]) -> None:
        self._context = context
        self._connection = connection

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from the handshake to the end of both directions."""
        try:
            session = _Session(self._context, reader, writer)
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await session.handshake()
            ours, theirs = socket.socketpair()
            await asyncio.get_running_loop().connect_accepted_socket(self._connection, theirs)
            await session.join(*await asyncio.open_connection(sock=ours))
        except OSError as error:
            _log.debug("a TLS connection from %s ended: %s", writer.get_extra_info("peername"), error)
        finally:
            writer.close()


class _Session:
    """The state of one TLS connection."""

    def __init__(self, context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def handshake(self) -> None:
        """Raises ssl.SSLError if the client is not one of ours, ConnectionError if it goes away."""
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except ssl.SSLError:
                # What is to be sent now is the alert that says why.
                await self._flush()
                raise
        await self._flush()

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry what is inside, until both sides have ended."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._decrypt(writer))
                tasks.create_task(self._encrypt(reader))
        except* OSError as errors:
            raise ConnectionError(str(errors.exceptions[0])) from None
        finally:
            writer.close()

    async def _decrypt(self, inside: asyncio.StreamWriter) -> None:
        while True:
            try:
                data = self._tls.read(_CHUNK)
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
                continue
            except ssl.SSLZeroReturnError:
                data = b""
            if not data:
                inside.write_eof()
                return
            inside.write(data)
            await inside.drain()

    async def _encrypt(self, inside: asyncio.StreamReader) -> None:
        while data := await inside.read(_CHUNK):
            self._tls.write(data)
            await self._flush()
        # Sends our close_notify; that the client's has not come yet is no fault.
        with suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        await self._flush()
        self._writer.write_eof()

    async def _fill(self) -> None:
        data = await self._reader.read(_CHUNK)
        if not data:
            raise ConnectionResetError("the client has gone")
        self._incoming.write(data)

    async def _flush(self) -> None:
        if self._outgoing.pending:
            self._writer.write(self._outgoing.read())
            await self._writer.drain()
