"""Git repositories to read from, served on loopback by git's own programs."""

from __future__ import annotations

import base64
import contextlib
import functools
import os
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SECONDS = 60
TIME = 1_600_000_000
"""The time of every commit."""
_BACKEND = Path("/usr/lib/git-core/git-http-backend")


@dataclass
class Repository:
    """A repository in the folder of a server, with a working tree of its own aside."""

    bare: Path
    tree: Path

    @classmethod
    def make(cls, served: Path, name: str) -> Repository:
        """A bare repository `name` below the folder that is served; its first branch is called main."""
        made = cls(served / name, served.parent / f"tree-{name}")
        git("init", "--quiet", "--bare", "--initial-branch=main", str(made.bare))
        git("init", "--quiet", "--initial-branch=main", str(made.tree))
        git("-C", str(made.tree), "remote", "add", "origin", str(made.bare))
        return made

    def commit(self, files: Mapping[str, str], *, branch: str = "main", tag: str = "") -> str:
        """Commit these files on top of the branch, which is pushed with the annotated tag; the commit's hash."""
        for name, text in files.items():
            path = self.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a change")
        if tag:
            self.git("tag", "--annotate", "--message", "a tag", tag)
        self.git("push", "--quiet", "--tags", "origin", f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")

    def git(self, *words: str) -> str:
        return git("-C", str(self.tree), *words)


def git(*words: str) -> str:
    """Run git as somebody whose configuration is empty."""
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _PERSON.items()}
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", **who}
    words = ("-c", "protocol.file.allow=always", *words)
    done = subprocess.run(["git", *words], env=environment, capture_output=True, text=True, timeout=SECONDS, check=True)
    return done.stdout.strip()


_PERSON = {"NAME": "A", "EMAIL": "a@example.org", "DATE": f"@{TIME} +0000"}


class Server(ThreadingHTTPServer):
    """A web server over git-http-backend(1). With a `login` it asks for it; it counts what is fetched."""

    daemon_threads = True

    def __init__(self, folder: Path, address: str) -> None:
        super().__init__((address, 0), _Handler)
        self.folder = folder
        self.login = ""
        self.fetches = 0
        """How often somebody wanted more than a list of refs (gitprotocol-v2(5))."""

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]!s}:{self.server_port}"


@contextlib.contextmanager
def served(folder: Path, address: str = "127.0.0.1") -> Iterator[Server]:
    """A server of the repositories in a folder."""
    with Server(folder, address) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@contextlib.contextmanager
def plain_files(folder: Path) -> Iterator[str]:
    """A web server that knows nothing of git (gitprotocol-http(5), the "dumb" protocol); its address."""
    handler = functools.partial(_Files, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


class _Handler(BaseHTTPRequestHandler):
    """CGI (RFC 3875), as far as git-http-backend(1) needs it."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self._body())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        wanted = f"basic {base64.b64encode(self.server.login.encode()).decode()}"
        if self.server.login and self.headers.get("Authorization", "").lower() != wanted.lower():
            self._send(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
            return
        self.server.fetches += b"command=fetch" in body
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        done = subprocess.run(
            [str(_BACKEND)], input=body, env=environment, capture_output=True, timeout=SECONDS, check=True
        )
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self._send(int(headers.pop("Status", "200").split()[0]), headers, answer)

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def git_daemon(folder: Path) -> Iterator[str]:
    """git-daemon(1) over a folder; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # It takes no port of its own choice, but inetd's way it serves a connection that it is given.
        stop = threading.Event()
        thread = threading.Thread(target=_serve, args=(listener, folder, stop), daemon=True)
        thread.start()
        yield f"git://127.0.0.1:{listener.getsockname()[1]}"
        stop.set()
        socket.create_connection(listener.getsockname()).close()
        thread.join()


def _serve(listener: socket.socket, folder: Path, stop: threading.Event) -> None:
    while True:
        connection, _ = listener.accept()
        with connection:
            if stop.is_set():
                return
            words = ["git", "daemon", "--inetd", "--export-all", f"--base-path={folder}"]
            subprocess.run(words, stdin=connection.fileno(), stdout=connection.fileno(), timeout=SECONDS, check=False)
