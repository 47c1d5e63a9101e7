"""A client of the daemon's socket that says what it was answered: no `docker` command between a call and its time."""

from __future__ import annotations

import http.client
import json
import socket
import time
from dataclasses import dataclass
from typing import Any

from tests.integration.rig import Daemon


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a call, and when it began and ended (monotonic, in seconds)."""

    status: int
    body: Any
    began: float
    ended: float

    @property
    def message(self) -> str:
        """What went wrong."""
        return str(self.body.get("message", "")) if isinstance(self.body, dict) else ""


class Local(http.client.HTTPConnection):
    """A connection to the daemon's socket."""

    def __init__(self, daemon: Daemon) -> None:
        super().__init__("localhost", timeout=60)
        self._path = str(daemon.endpoint)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self._path)

    def call(self, method: str, path: str, body: object = None) -> Answer:
        """One call to its end."""
        text = json.dumps(body).encode() if body is not None else None
        return self._call(method, path, text, "application/json")

    def upload(self, path: str, archive: bytes) -> Answer:
        """Send an archive."""
        return self._call("POST", path, archive, "application/x-tar")

    def _call(self, method: str, path: str, body: bytes | None, kind: str) -> Answer:
        began = time.monotonic()
        self.request(method, path, body, {"Content-Type": kind})
        response = self.getresponse()
        said = response.read()
        ended = time.monotonic()
        is_json = response.headers.get("Content-Type") == "application/json" and len(said.splitlines()) == 1
        return Answer(response.status, json.loads(said) if is_json else said, began, ended)
