"""Where the daemon listens, and who may connect."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import stat
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pytest

from zonehost.daemon.listeners import (
    Address,
    InheritedAddress,
    TcpAddress,
    UnixAddress,
    forget,
    listen,
    parse_address,
)
from zonehost.daemon.tls import Tls
from zonehost.errors import Conflict, InvalidParameter


class Hello(asyncio.Protocol):
    """Says one word, and closes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


@pytest.mark.parametrize(
    ("text", "tls", "address"),
    [
        ("unix:///run/a.sock", False, UnixAddress("/run/a.sock")),
        ("tcp://127.0.0.1:2000", False, TcpAddress("127.0.0.1", 2000)),
        ("tcp://localhost", False, TcpAddress("127.0.0.1", 2375)),
        ("tcp://0.0.0.0", True, TcpAddress("0.0.0.0", 2376)),
        ("tcp://[::1]:2000", True, TcpAddress("::1", 2000)),
        ("tcp://[::]", True, TcpAddress("::", 2376)),
        ("fd://", False, InheritedAddress()),
        ("fd://*", False, InheritedAddress()),
    ],
)
def test_addresses_are_written_as_in_docker(text: str, tls: bool, address: Address) -> None:
    assert parse_address(text, tls=tls) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/run/a.sock",
        "unix://a.sock",
        "http://localhost",
        "fd://zonehost.socket",
        "tcp://",
        "tcp://host.example:1",
        "tcp://127.0.0.1:x",
    ],
)
def test_other_words_are_no_addresses(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"^host "):
        parse_address(text, tls=False)


def test_a_path_that_no_socket_can_have_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="107 bytes"):
        parse_address("unix:///" + "x" * 107, tls=False)


async def test_a_unix_socket_is_closed_to_others(tmp_path: Path) -> None:
    address = UnixAddress(str(tmp_path / "new" / "a.sock"))
    (server,) = await listen(address, Hello, tls=None, insecure_tcp=False)
    assert stat.S_IMODE(Path(address.path).stat().st_mode) == 0o660
    reader, _ = await asyncio.open_unix_connection(address.path)
    assert await reader.read() == b"hello"
    server.close()
    forget(address)
    forget(address)
    assert not Path(address.path).exists()


async def test_the_socket_of_a_daemon_that_died_is_taken_over(tmp_path: Path) -> None:
    address = UnixAddress(str(tmp_path / "a.sock"))
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(address.path)
    (server,) = await listen(address, Hello, tls=None, insecure_tcp=False)
    reader, _ = await asyncio.open_unix_connection(address.path)
    assert await reader.read() == b"hello"
    server.close()


async def test_the_socket_of_a_daemon_that_lives_is_left_alone(tmp_path: Path) -> None:
    address = UnixAddress(str(tmp_path / "a.sock"))
    (server,) = await listen(address, Hello, tls=None, insecure_tcp=False)
    with pytest.raises(Conflict, match="another process listens there"):
        await listen(address, Hello, tls=None, insecure_tcp=False)
    reader, _ = await asyncio.open_unix_connection(address.path)
    assert await reader.read() == b"hello"
    server.close()


async def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.sock").write_text("mine")
    with pytest.raises(Conflict, match="no socket"):
        await listen(UnixAddress(str(tmp_path / "a.sock")), Hello, tls=None, insecure_tcp=False)
    assert (tmp_path / "a.sock").read_text() == "mine"


@pytest.mark.parametrize(("host", "insist"), [("0.0.0.0", True), ("::", True), ("127.0.0.1", False), ("::1", False)])
async def test_plain_tcp_is_refused_with_the_cure(host: str, insist: bool) -> None:
    with pytest.raises(InvalidParameter, match="give --tlscacert, --tlscert and --tlskey"):
        await listen(TcpAddress(host, 0), Hello, tls=None, insecure_tcp=insist)


async def test_plain_tcp_on_loopback_can_be_insisted_on() -> None:
    (server,) = await listen(TcpAddress("127.0.0.1", 0), Hello, tls=None, insecure_tcp=True)
    reader, _ = await asyncio.open_connection(*server.sockets[0].getsockname())
    assert await reader.read() == b"hello"
    with pytest.raises(Conflict, match=r"cannot listen on tcp://127\.0\.0\.1:"):
        await listen(TcpAddress("127.0.0.1", server.sockets[0].getsockname()[1]), Hello, tls=None, insecure_tcp=True)
    server.close()


class Authority:
    """A certificate authority of its own, made by openssl(1)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._openssl("req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", "/CN=ca",
                      "-keyout", "ca.key", "-out", "ca.pem")  # fmt: skip

    @property
    def certificate(self) -> str:
        return str(self._folder / "ca.pem")

    def issue(self, name: str) -> tuple[str, str]:
        """A certificate for 127.0.0.1, and its key."""
        (self._folder / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
        self._openssl("req", "-newkey", "ed25519", "-nodes", "-subj", f"/CN={name}",
                      "-keyout", f"{name}.key", "-out", f"{name}.csr")  # fmt: skip
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                      "-days", "2", "-extfile", "ext", "-out", f"{name}.pem")  # fmt: skip
        return str(self._folder / f"{name}.pem"), str(self._folder / f"{name}.key")

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True)


async def test_tls_asks_every_client_for_a_certificate_of_its_authority(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    (server,) = await listen(
        TcpAddress("127.0.0.1", 0), Hello, tls=Tls(ours.certificate, *ours.issue("daemon")), insecure_tcp=False
    )
    port = server.sockets[0].getsockname()[1]

    async def read(credentials: tuple[str, str] | None) -> bytes:
        context = ssl.create_default_context(cafile=ours.certificate)
        if credentials is not None:
            context.load_cert_chain(*credentials)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        try:
            return await reader.read()
        finally:
            writer.close()

    assert await read(ours.issue("client")) == b"hello"
    for stranger in (None, theirs.issue("client")):
        # With TLS 1.3 the client's handshake ends before the server has looked at its certificate (RFC 8446, 4.4.2.4).
        heard = b""
        with suppress(ssl.SSLError, ConnectionError):
            heard = await read(stranger)
        assert heard == b""
    server.close()


class Echo(asyncio.Protocol):
    """Answers with all that came, once the client has ended its side."""

    def __init__(self) -> None:
        self._heard = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data

    def eof_received(self) -> bool:
        self._transport.write(self._heard)
        self._transport.close()
        return True


async def test_a_client_over_tls_may_end_its_side_and_read_on(tmp_path: Path) -> None:
    """The docker command sends close_notify at the end of its input, and reads to the end of the output."""
    ours = Authority(tmp_path / "ours")
    (server,) = await listen(
        TcpAddress("127.0.0.1", 0), Echo, tls=Tls(ours.certificate, *ours.issue("daemon")), insecure_tcp=False
    )
    port = server.sockets[0].getsockname()[1]
    certificate, key = ours.issue("client")
    data = os.urandom(3 << 20)

    def talk() -> bytes:
        context = ssl.create_default_context(cafile=ours.certificate)
        context.load_cert_chain(certificate, key)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        with socket.create_connection(("127.0.0.1", port)) as sock:
            perform(sock, tls.do_handshake, incoming, outgoing)
            tls.write(data)
            with suppress(ssl.SSLWantReadError):
                tls.unwrap()
            sock.sendall(outgoing.read())
            heard = b""
            with suppress(ssl.SSLZeroReturnError):
                while True:
                    heard += perform(sock, lambda: tls.read(1 << 16), incoming, outgoing)
            return heard

    assert await asyncio.to_thread(talk) == data
    server.close()


T = TypeVar("T")


def perform(sock: socket.socket, step: Callable[[], T], incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> T:
    """Take a step of TLS, sending and receiving what it needs."""
    while True:
        try:
            done = step()
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(1 << 16))
        else:
            sock.sendall(outgoing.read())
            return done


async def test_tls_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    tls = Tls(str(tmp_path / "ca"), str(tmp_path / "cert"), str(tmp_path / "key"))
    with pytest.raises(InvalidParameter, match="cannot use the TLS files"):
        await listen(TcpAddress("127.0.0.1", 0), Hello, tls=tls, insecure_tcp=False)
