"""Registries on loopback for tests: Debian's docker-registry in several guises, and a scripted one that misbehaves."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

USER, PASSWORD = "ada", "secret"
_HTPASSWD = f"{USER}:$2b$04$bzXvKVGH743u.2iezTmQD.hkdEHHmHj2WixqWRgnp3f4lN.4GtpHK\n"
_ISSUER, _SERVICE = "test issuer", "test registry"


def free_port() -> int:
    """A port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Certificate:
    """A private authority and a certificate for 127.0.0.1 that it signed."""

    authority: Path
    certificate: Path
    key: Path


def openssl(folder: Path, *arguments: str) -> None:
    """Run openssl in a folder."""
    subprocess.run(["openssl", *arguments], check=True, cwd=folder, capture_output=True)


def make_certificate(folder: Path) -> Certificate:
    """Make both with openssl."""
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(
        folder,
        "req",
        "-x509",
        *curve,
        "-keyout",
        "ca.key",
        "-out",
        "ca.crt",
        "-subj",
        "/CN=Test authority",
        "-days",
        "2",
    )
    openssl(folder, "req", *curve, "-keyout", "host.key", "-out", "host.csr", "-subj", "/CN=127.0.0.1")
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1,DNS:registry.test\n")
    signed = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "san", "-days", "2")
    openssl(folder, "x509", "-req", "-in", "host.csr", "-out", "host.crt", *signed)
    return Certificate(folder / "ca.crt", folder / "host.crt", folder / "host.key")


@contextlib.asynccontextmanager
async def debian_registry(
    folder: Path, auth: dict[str, object] | None = None, tls: Certificate | None = None
) -> AsyncIterator[str]:
    """Debian's docker-registry, its files in `folder`; gives `127.0.0.1:PORT`."""
    address = f"127.0.0.1:{free_port()}"
    http: dict[str, object] = {"addr": address, "relativeurls": False}
    if tls:
        http["tls"] = {"certificate": str(tls.certificate), "key": str(tls.key)}
    storage = {"filesystem": {"rootdirectory": str(folder / "blobs")}, "delete": {"enabled": True}}
    config = {"version": 0.1, "log": {"level": "error"}, "storage": storage, "http": http}
    if auth:
        config["auth"] = auth
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yml").write_text(json.dumps(config))
    log = (folder / "log").open("wb")
    command = ("docker-registry", "serve", str(folder / "config.yml"))
    process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        await _listening(address, process)
        yield address
    finally:
        process.kill()
        await process.wait()
        log.close()


async def _listening(address: str, process: asyncio.subprocess.Process) -> None:
    host, port = address.rsplit(":", 1)
    for _ in range(200):
        assert process.returncode is None, "docker-registry ended"
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise AssertionError("docker-registry does not listen")


def basic_auth(folder: Path) -> dict[str, object]:
    """The registry's configuration for names and passwords."""
    path = folder / "htpasswd"
    path.write_text(_HTPASSWD)
    return {"htpasswd": {"realm": "test", "path": str(path)}}


@dataclass
class TokenServer:
    """Gives tokens for what is asked, to those who have the password; everyone may pull `public/…`."""

    folder: Path
    url: str = ""
    asked: list[dict[str, list[str]]] = field(default_factory=list)

    def registry_auth(self) -> dict[str, object]:
        """The registry's configuration to send clients here."""
        bundle = str(self.folder / "token.crt")
        return {"token": {"realm": self.url, "service": _SERVICE, "issuer": _ISSUER, "rootcertbundle": bundle}}

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[TokenServer]:
        """Serve on loopback, in the clear."""
        make = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "token.key", "-out", "token.crt")
        openssl(self.folder, *make, "-subj", "/CN=token", "-days", "2")
        app = web.Application()
        app.router.add_get("/token", self._token)
        app.router.add_post("/token", self._refresh)
        async with serving(app) as address:
            self.url = f"http://{address}/token"
            yield self

    async def _token(self, request: web.Request) -> web.Response:
        self.asked.append({name: request.query.getall(name) for name in request.query})
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        given = request.headers.get("Authorization")
        if given is not None and given != expected:
            return web.json_response({"details": "wrong"}, status=401)
        answer: dict[str, object] = {"token": self._sign(request.query.getall("scope", []), given is not None)}
        if "offline_token" in request.query:
            answer["refresh_token"] = "refresh me"
        return web.json_response(answer | {"expires_in": 300})

    async def _refresh(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != "refresh me":
            return web.json_response({}, status=401)
        return web.json_response({"access_token": self._sign(str(form["scope"]).split(), True), "expires_in": 300})

    def _sign(self, scopes: list[str], known: bool) -> str:
        access = []
        for scope in scopes:
            kind, rest = scope.split(":", 1)
            name, actions = rest.rsplit(":", 1)
            if known or name.startswith("public/"):
                allowed = actions.split(",") if known else ["pull"]
                access.append({"type": kind, "name": name, "actions": allowed})
        now = int(time.time())
        certificate = "".join((self.folder / "token.crt").read_text().splitlines()[1:-1])
        header = {"typ": "JWT", "alg": "RS256", "x5c": [certificate]}
        claims = {"iss": _ISSUER, "aud": _SERVICE, "sub": USER, "nbf": now - 60, "iat": now, "exp": now + 300}
        body = ".".join(_b64(json.dumps(part).encode()) for part in (header, claims | {"jti": "1", "access": access}))
        sign = ["openssl", "dgst", "-sha256", "-sign", str(self.folder / "token.key")]
        signature = subprocess.run(sign, input=body.encode(), check=True, capture_output=True).stdout
        return f"{body}.{_b64(signature)}"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextlib.asynccontextmanager
async def serving(app: web.Application, tls: Certificate | None = None) -> AsyncIterator[str]:
    """Serve an application on loopback; gives `127.0.0.1:PORT`."""
    context = None
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls.certificate, tls.key)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@dataclass
class ScriptedRegistry:
    """A registry of fixed blobs and manifests that can cut its answers.

    `cuts` are byte counts: each answer for a blob ends after the next of them; `ranges` false ignores Range.
    """

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    tags: list[str] = field(default_factory=list)
    uploads: list[bytearray] = field(default_factory=list)
    refusals: int = 0
    """How many chunks are taken in half and then answered with an error."""
    requests: list[tuple[str, str, str]] = field(default_factory=list)

    def application(self) -> web.Application:
        """What to serve."""
        app = web.Application()
        app.router.add_get("/v2/{path:.+}/blobs/{digest}", self._blob)
        app.router.add_get("/v2/{path:.+}/manifests/{reference}", self._manifest)
        app.router.add_get("/v2/{path:.+}/tags/list", self._tags)
        app.router.add_post("/v2/{path:.+}/blobs/uploads/", self._begin)
        app.router.add_route("*", "/upload/{number}", self._upload)
        return app

    async def _begin(self, request: web.Request) -> web.Response:
        self.uploads.append(bytearray())
        return web.Response(status=202, headers={"Location": f"/upload/{len(self.uploads) - 1}"})

    async def _upload(self, request: web.Request) -> web.Response:
        held = self.uploads[int(request.match_info["number"])]
        self.requests.append((request.method, request.path, request.headers.get("Content-Range", "")))
        data = await request.read()
        if request.method == "PATCH" and self.refusals:
            self.refusals -= 1
            held += data[: len(data) // 2]
            return web.Response(status=503)
        held += data
        if request.method == "PUT":
            self.blobs[request.query["digest"]] = bytes(held)
            return web.Response(status=201)
        return web.Response(status=202, headers={"Location": request.path, "Range": f"0-{max(len(held) - 1, 0)}"})

    async def _tags(self, request: web.Request) -> web.Response:
        """Two tags a page, whatever the client asks for."""
        at = self.tags.index(request.query["last"]) + 1 if "last" in request.query else 0
        page = self.tags[at : at + 2]
        more = at + 2 < len(self.tags)
        headers = {"Link": f'<{request.path}?n=2&last={page[-1]}>; rel="next"'} if more else {}
        return web.json_response({"tags": page}, headers=headers)

    async def _manifest(self, request: web.Request) -> web.Response:
        found = self.manifests.get(request.match_info["reference"])
        if found is None:
            error = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
            return web.json_response(error, status=404)
        return web.Response(body=found[1], headers={"Content-Type": found[0]})

    async def _blob(self, request: web.Request) -> web.StreamResponse:
        digest = request.match_info["digest"]
        asked = request.headers.get("Range", "")
        self.requests.append((request.method, digest, asked))
        data = self.blobs[digest]
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        headers = {"Content-Length": str(len(data) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        response = web.StreamResponse(status=206 if start else 200, headers=headers)
        await response.prepare(request)
        if self.cuts:
            await response.write(data[start : start + self.cuts.pop(0)])
            assert request.transport is not None
            request.transport.close()
            return response
        await response.write(data[start:])
        return response


@contextlib.asynccontextmanager
async def cutting_proxy(target: str, forth: list[int], back: list[int] | None = None) -> AsyncIterator[str]:
    """A TCP proxy before `target` that cuts connections: each after so many bytes to it, or from it, as the lists say.

    A connection that is made when a list is empty is not cut that way.
    """
    allowances_back = back or []
    connections: set[asyncio.Task[None]] = set()

    async def relay(source: asyncio.StreamReader, sink: asyncio.StreamWriter, allowance: int | None) -> None:
        passed = 0
        while data := await source.read(65536):
            passed += len(data)
            if allowance is not None and passed > allowance:
                sink.transport.abort()
                return
            sink.write(data)
            await sink.drain()
        sink.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = target.rsplit(":", 1)
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        sending = asyncio.create_task(relay(reader, far_writer, forth.pop(0) if forth else None))
        taking = relay(far_reader, writer, allowances_back.pop(0) if allowances_back else None)
        receiving = asyncio.create_task(taking)
        connections.update((sending, receiving))
        with contextlib.suppress(ConnectionError):
            await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
