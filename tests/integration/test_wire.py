"""The daemon's answers keep Docker's published contract, its errors have Docker's form, bad requests do no harm."""

from __future__ import annotations

import io
import json
import socket
import tarfile
from collections.abc import Iterator
from pathlib import Path
from time import time
from urllib.parse import quote

import pytest

from tests.integration.rig import Daemon
from tests.integration.wire import Wire
from tests.wire.contract import contract

IDLE = {"Image": "busybox", "Cmd": ["sleep", "600"]}
RICH = {
    **IDLE,
    "Env": ["A=b"],
    "Labels": {"k": "v"},
    "ExposedPorts": {"80/tcp": {}},
    "Volumes": {"/anonymous": {}},
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 10**9, "Retries": 2},
    "HostConfig": {
        "Memory": 64 << 20,
        "PidsLimit": 50,
        "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]},
        "Binds": ["named:/named"],
        "Tmpfs": {"/scratch": "size=1m"},
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
        "Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}],
    },
}


@pytest.fixture
def wire(daemon: Daemon) -> Wire:
    return Wire(daemon.endpoint)


@pytest.fixture
def rich(wire: Wire) -> Iterator[str]:
    """A running container that uses most of what a container can have."""
    identity = wire.call("POST", "/containers/create?name=rich", RICH, expect=201).json["Id"]
    wire.call("POST", f"/containers/{identity}/start", expect=204)
    yield identity


def test_system(wire: Wire) -> None:
    for path in ("/info", "/version", "/system/df", "/containers/json", "/images/json", "/volumes", "/networks"):
        wire.call("GET", path)


def test_ping_has_dockers_headers(wire: Wire) -> None:
    for method in ("GET", "HEAD"):
        answer = wire.raw(method, "/_ping")
        assert answer.status == 200
        assert answer.headers["api-version"] == "1.51"
        assert answer.headers["ostype"] == "linux"
        assert answer.headers["docker-experimental"] == "false"
        assert answer.body == (b"OK" if method == "GET" else b"")


def test_container(wire: Wire, rich: str) -> None:
    wire.call("GET", f"/containers/{rich}/json")
    wire.call("GET", f"/containers/{rich}/json?size=1")
    wire.call("GET", f"/containers/{rich}/top")
    wire.call("GET", f"/containers/{rich}/changes")
    wire.call("GET", f"/containers/{rich}/stats?stream=0")
    wire.call("GET", "/containers/json?all=1&size=1")
    wire.call("POST", f"/containers/{rich}/update", {"Memory": 96 << 20, "MemorySwap": 96 << 20})
    wire.call("POST", f"/containers/{rich}/start", expect=304)
    wire.call("POST", f"/containers/{rich}/pause", expect=204)
    wire.call("GET", f"/containers/{rich}/json")
    wire.call("POST", f"/containers/{rich}/unpause", expect=204)
    wire.call("POST", f"/containers/{rich}/kill", expect=204)
    assert wire.call("POST", f"/containers/{rich}/wait").json["StatusCode"] == 137
    wire.call("GET", f"/containers/{rich}/json")
    wire.call("POST", f"/containers/{rich}/stop", expect=304)
    wire.call("DELETE", f"/containers/{rich}?v=1", expect=204)
    wire.call("GET", f"/containers/{rich}/json", expect=404)


def test_exec(wire: Wire, rich: str) -> None:
    command = {"Cmd": ["sh", "-c", "echo out; exit 5"], "AttachStdout": True}
    identity = wire.call("POST", f"/containers/{rich}/exec", command, expect=201).json["Id"]
    wire.call("GET", f"/exec/{identity}/json")
    answer = wire.raw("POST", f"/exec/{identity}/start", {"Detach": False}, version="/v1.51")
    assert answer.body == b"\x01\0\0\0\0\0\0\x04out\n"
    assert wire.call("GET", f"/exec/{identity}/json").json["ExitCode"] == 5


def test_images(wire: Wire) -> None:
    wire.call("GET", "/images/busybox/json")
    wire.call("GET", "/images/busybox/history")
    wire.call("POST", "/images/busybox/tag?repo=wired&tag=1", expect=201)
    wire.call("GET", "/images/json?all=1&digests=1&shared-size=1")
    wire.call("DELETE", "/images/wired:1")
    wire.call("POST", "/images/prune")


def test_volumes_and_networks(wire: Wire, rich: str) -> None:
    wire.call("POST", "/volumes/create", {"Name": "wired", "Labels": {"a": "b"}}, expect=201)
    wire.call("GET", "/volumes/wired")
    wire.call("GET", "/volumes")
    wire.call("GET", "/system/df")
    wire.call("DELETE", "/volumes/wired", expect=204)
    wire.call("POST", "/volumes/prune")
    wire.call("GET", "/networks/bridge")
    wire.call("POST", "/networks/prune")
    wire.call("POST", "/containers/prune")


def test_events_are_one_json_document_a_line(wire: Wire, rich: str) -> None:
    filters = quote(json.dumps({"container": [rich]}))
    assert wire.raw("GET", f"/events?since=1&until=2&filters={filters}").body == b""
    lines = wire.raw("GET", f"/events?since=1&until={time():.9f}&filters={filters}").body.splitlines()
    assert json.loads(lines[0])["Action"] == "create"
    for line in lines:
        told = json.loads(line)
        # Docker still sends these, up to 1.51, and no longer documents them.
        for field in ("status", "id", "from"):
            told.pop(field, None)
        assert contract().problems("GET", "/events", 200, told) == []


@pytest.mark.parametrize("version", ["", "/v1.24", "/v1.30", "/v1.41", "/v1.44", "/v1.51"])
def test_each_version_answers(wire: Wire, rich: str, version: str) -> None:
    for path in (f"/containers/{rich}/json", "/containers/json", "/images/busybox/json", "/info", "/version"):
        assert wire.raw("GET", path, version=version).status == 200


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("/v1.99", "client version 1.99 is too new. Maximum supported API version is 1.51"),
        ("/v1.10", "client version 1.10 is too old. Minimum supported API version is 1.24, please upgrade your client"),
    ],
)
def test_other_versions_are_refused(wire: Wire, version: str, message: str) -> None:
    answer = wire.raw("GET", "/info", version=version)
    assert answer.status == 400
    assert answer.message.startswith(message)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/nosuch", None, 404),
        ("PUT", "/info", None, 404),
        ("POST", "/containers/create", b"{", 400),
        ("POST", "/containers/create", b"[]", 400),
        ("POST", "/containers/create", {}, 400),
        ("POST", "/containers/create", {**IDLE, "Image": "nosuch"}, 404),
        ("POST", "/containers/create", {**IDLE, "Cmd": 5}, 400),
        ("POST", "/containers/create?name=%2e%2e%2fup", IDLE, 400),
        ("POST", "/containers/create", {**IDLE, "StopSignal": "NOSUCH"}, 400),
        ("POST", "/containers/create", {**IDLE, "HostConfig": {"Memory": 1}}, 400),
        ("POST", "/containers/create", {**IDLE, "HostConfig": {"RestartPolicy": {"Name": "sometimes"}}}, 400),
        ("POST", "/containers/create", {**IDLE, "HostConfig": {"Binds": ["/a:relative"]}}, 400),
        ("POST", "/containers/create", {**IDLE, "HostConfig": {"PortBindings": {"99999/tcp": [{}]}}}, 400),
        ("GET", "/containers/json?filters=notjson", None, 400),
        ("GET", "/containers/json?limit=many", None, 400),
        ("GET", "/containers/nosuch/json", None, 404),
        ("POST", "/containers/nosuch/start", None, 404),
        ("GET", "/images/nosuch/json", None, 404),
        ("GET", "/images/BAD/json", None, 400),
        ("GET", "/volumes/nosuch", None, 404),
        ("GET", "/networks/nosuch", None, 404),
        ("GET", "/exec/nosuch/json", None, 404),
        ("GET", "/events?since=never", None, 400),
        ("POST", "/images/load", b"no archive", 400),
    ],
)
def test_bad_requests_get_one_clear_error(wire: Wire, method: str, path: str, body: object, status: int) -> None:
    answer = wire.raw(method, path, body, version="/v1.51")
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.message
    assert wire.call("GET", "/containers/json?all=1").json == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "config cannot be empty in order to create a container"),
        ({"HostConfig": {"Memory": 64 << 20}}, "config cannot be empty in order to create a container"),
        ({"Image": ""}, "no command specified"),
    ],
)
def test_a_container_of_nothing_is_told_what_it_lacks(wire: Wire, body: object, words: str) -> None:
    assert wire.call("POST", "/containers/create", body, expect=400).message == words


def test_half_a_request_and_a_vanished_client_do_no_harm(daemon: Daemon, wire: Wire) -> None:
    for sent in (
        b"GET /inf",
        b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
        b"\0" * 99,
    ):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(daemon.endpoint))
            client.sendall(sent)
    wire.call("GET", "/info")
    assert wire.call("GET", "/containers/json?all=1").json == []


def test_an_archive_that_is_cut_off_leaves_nothing(daemon: Daemon, wire: Wire) -> None:
    assert daemon.process is not None
    layers = Path(f"/proc/{daemon.process.pid}/root{daemon.instance.data_root}/pool/layers")
    before = sorted(layers.iterdir())
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("large")
        member.size = 4_000_000
        tar.addfile(member, io.BytesIO(bytes(member.size)))
    sent = b"%x\r\n%s" % (len(archive.getvalue()), archive.getvalue()[:2_000_000])
    for path in ("/images/create?fromSrc=-&repo=cut", "/images/load", "/build?remote="):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(daemon.endpoint))
            client.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            while client.recv(4096):
                pass
    assert sorted(layers.iterdir()) == before
    assert not wire.call("GET", f"/images/json?filters={quote(json.dumps({'reference': ['cut']}))}").json


def test_who_sends_no_archive_is_told_while_still_sending(daemon: Daemon, rich: str) -> None:
    into = f"PUT /containers/{rich}/archive?path=/tmp"
    for request in ("POST /images/create?fromSrc=-&repo=cut", "POST /images/load", into):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(daemon.endpoint))
            client.sendall(f"{request} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            for _ in range(200):
                client.sendall(b"8000\r\n" + b"no archive".ljust(0x8000) + b"\r\n")
            assert client.recv(12) == b"HTTP/1.1 400"


def test_a_client_that_leaves_a_stream_leaves_no_trace(daemon: Daemon, wire: Wire, rich: str) -> None:
    for path in (f"/containers/{rich}/logs?follow=1&stdout=1", f"/containers/{rich}/stats", "/events"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(daemon.endpoint))
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert client.recv(12) == b"HTTP/1.1 200"
    wire.call("POST", f"/containers/{rich}/kill", expect=204)
    wire.call("POST", f"/containers/{rich}/wait")


def test_an_oversized_body_is_refused(wire: Wire) -> None:
    answer = wire.raw("POST", "/containers/create", {**IDLE, "Labels": {"a": "b" * (64 << 20)}}, version="/v1.51")
    assert answer.status in (400, 413)
