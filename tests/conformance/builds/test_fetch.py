"""What ADD calls a file that comes from a server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from zonehost.drivers.builds.fetch import download
from zonehost.web import WebClient


class _Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", "/elsewhere/")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", "1")
        if "named" in self.path:
            self.send_header("Content-Disposition", 'attachment; filename="theirs"')
        self.end_headers()
        self.wfile.write(b"x")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/file", "file"),
        ("/a%20b?c=d", "a b"),
        ("/moved/file", "file"),
        ("/named/ours", "ours"),
        ("/named/", "theirs"),
        ("/", ""),
    ],
)
async def test_a_file_is_called_as_its_address_says(server: str, tmp_path: Path, path: str, name: str) -> None:
    found = await download(server + path, str(tmp_path / "file"), WebClient("test"))
    assert (found.name, found.size) == (name, 1)
