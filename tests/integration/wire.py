"""A bare HTTP client of the API that holds every JSON answer against Docker's published contract."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.wire.contract import contract

SECONDS = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `json` is the decoded body where it is one JSON document."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        text = self.json["message"]
        assert isinstance(text, str)
        return text


class Wire:
    """Speaks to one socket, a connection a request."""

    def __init__(self, endpoint: Path, version: str = "/v1.51") -> None:
        self._endpoint = endpoint
        self._version = version

    def raw(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None, version: str = ""
    ) -> Answer:
        """Send a request and read the whole answer, unchecked. `body`: bytes as they are, anything else as JSON."""
        connection = http.client.HTTPConnection("localhost", timeout=SECONDS)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(SECONDS)
        connection.sock.connect(str(self._endpoint))
        given = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if given is not None else {}
        try:
            connection.request(method, version + path, given, {**sent, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def call(self, method: str, path: str, body: object = None, expect: int = 200) -> Answer:
        """Send a request that must be answered with `expect` and by the contract."""
        answer = self.raw(method, path, body, version=self._version)
        assert answer.status == expect, f"{method} {path}: {answer.status} {answer.body.decode(errors='replace')}"
        kind = answer.headers.get("content-type")
        if answer.body and kind == "application/json":
            plain = path.partition("?")[0]
            problems = contract().problems(method, plain, answer.status, answer.json)
            assert not problems, f"{method} {plain}:\n" + "\n".join(problems)
        else:
            assert not answer.body or kind != "application/json; charset=utf-8"
        return answer
