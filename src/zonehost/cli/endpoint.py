"""The daemon as the command reaches it: HTTP over the unix socket that DOCKER_HOST names, or TCP with mutual TLS.

Owns the connection and the reading of errors; knows nothing of what is asked.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from zonehost.errors import InvalidParameter, SystemFailure, Unavailable

DEFAULT: Final = "unix:///run/zonehost/docker.sock"
_CLIENT_ERRORS: Final = range(400, 500)
_CHUNK: Final = 1 << 20


class Endpoint:
    """One daemon."""

    def __init__(self, host: str | None = None) -> None:
        """`host` wins over DOCKER_HOST.

        Over tcp:// both sides show certificates: ca.pem, cert.pem and key.pem of DOCKER_CERT_PATH, or of ~/.docker.

        Raises:
            InvalidParameter: it is no address, or there are no certificates.
        """
        self._host = host or os.environ.get("DOCKER_HOST") or DEFAULT
        scheme, _, self._path = self._host.partition("://")
        if scheme not in ("unix", "tcp") or not self._path:
            raise InvalidParameter(f'host "{self._host}": this command speaks to unix:// sockets and tcp:// with TLS')
        self._tls = _certificates() if scheme == "tcp" else None

    def post(self, path: str, body: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        """Send `body` as it comes; the answer's JSON documents, one a line.

        Raises:
            Unavailable: the daemon cannot be reached. InvalidParameter, SystemFailure: it refused or failed.
        """
        connection = http.client.HTTPConnection("localhost")
        connection.sock = self._connect()
        try:
            headers = {"Content-Type": "application/x-tar", "Transfer-Encoding": "chunked"}
            connection.request("POST", path, iter(body), headers, encode_chunked=True)
            answer = connection.getresponse()
            if answer.status != http.HTTPStatus.OK:
                message = json.loads(answer.read())["message"]
                raise InvalidParameter(message) if answer.status in _CLIENT_ERRORS else SystemFailure(message)
            for line in answer:
                document = json.loads(line)
                if "error" in document:
                    raise SystemFailure(document["error"])
                yield document
        except OSError as error:
            raise Unavailable(f"the daemon at {self._host} went away: {error}") from error
        finally:
            connection.close()

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One call with a JSON body, if there is one; the answer's JSON, None if it is empty.

        Raises:
            Unavailable: the daemon cannot be reached. InvalidParameter, SystemFailure: it refused or failed.
        """
        headers = {} if body is None else {"Content-Type": "application/json"}
        with self._asked(method, path, None if body is None else json.dumps(body), headers) as answer:
            text = answer.read()
        return json.loads(text) if text.strip() else None

    def download(self, path: str) -> Iterator[bytes]:
        """The bytes that the daemon answers with, as they come. Raises as `call`, also when they end too early."""
        with self._asked("POST", path, None, {}) as answer:
            while chunk := answer.read1(_CHUNK):
                yield chunk

    @contextmanager
    def upgraded(self, path: str) -> Iterator[socket.socket]:
        """The connection, for bytes in one direction, when the daemon has taken the request. Raises as `call`."""
        channel = self._connect()
        try:
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
            channel.sendall(f"{head}Content-Length: 0\r\n\r\n".encode())
            answered = _head_of(channel)
            status = int(answered.split(b" ", 2)[1])
            if status != http.HTTPStatus.SWITCHING_PROTOCOLS:
                with channel.makefile("rb") as rest:
                    message = json.loads(rest.readline())["message"]
                raise InvalidParameter(message) if status in _CLIENT_ERRORS else SystemFailure(message)
            yield channel
        except (OSError, ValueError, IndexError) as error:
            raise Unavailable(f"the daemon at {self._host} went away: {error}") from error
        finally:
            channel.close()

    @contextmanager
    def _asked(
        self, method: str, path: str, body: str | Iterable[bytes] | None, headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer to one request, if it is no refusal.

        A daemon may refuse before it has read all: then it is the answer that counts, and not that it hung up.
        """
        connection = http.client.HTTPConnection("localhost")
        connection.sock = self._connect()
        try:
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, headers, encode_chunked=True)
            answer = connection.getresponse()
            if answer.status >= http.HTTPStatus.BAD_REQUEST:
                message = json.loads(answer.read())["message"]
                raise InvalidParameter(message) if answer.status in _CLIENT_ERRORS else SystemFailure(message)
            yield answer
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"the daemon at {self._host} went away: {error}") from error
        finally:
            connection.close()

    def _connect(self) -> socket.socket:
        try:
            if self._tls is None:
                channel = socket.socket(socket.AF_UNIX)
                channel.connect(self._path)
                return channel
            name, _, port = self._path.rpartition(":")
            plain = socket.create_connection((name.strip("[]"), int(port)))
            return self._tls.wrap_socket(plain, server_hostname=name.strip("[]"))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise Unavailable(f"cannot reach the daemon at {self._host}: {reason}") from error


def _certificates() -> ssl.SSLContext:
    folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    try:
        context = ssl.create_default_context(cafile=folder / "ca.pem")
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except OSError as error:
        raise InvalidParameter(f"tcp:// needs ca.pem, cert.pem and key.pem in {folder}: {error.strerror}") from error
    return context


def _head_of(channel: socket.socket) -> bytes:
    """The head of an answer, and nothing of what follows."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = channel.recv(1)
        if not byte:
            raise ConnectionResetError("no answer")
        head += byte
    return head
