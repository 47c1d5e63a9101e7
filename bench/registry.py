"""Debian's docker-registry on the loopback of an engine's host."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.engines.engine import Engine
from bench.images import scratch

SECONDS = 30


@contextmanager
def registry(engine: Engine) -> Iterator[str]:
    """An empty registry that this engine reaches; its address. It is gone with all in it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="registry-", dir=scratch()))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "blobs")}},
        "http": {"addr": address},
    }
    (folder / "config.yml").write_text(json.dumps(config))
    command = inside(engine, "docker-registry", "serve", str(folder / "config.yml"))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_it_answers(engine, address)
        yield address
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def inside(engine: Engine, *command: str) -> list[str]:
    """The command that runs `command` on the network of an engine's host."""
    return ["nsenter", f"--net={engine.netns}", "--", *command]


def fill(engine: Engine, address: str, layout: Path, tag: str) -> str:
    """Put an image of an OCI layout into the registry, as it is; its name."""
    name = f"{address}/five:{tag}"
    copy = ("skopeo", "copy", "--quiet", "--dest-tls-verify=false", f"oci:{layout}:{tag}", f"docker://{name}")
    subprocess.run(inside(engine, *copy), check=True, capture_output=True)
    return name


def _wait_until_it_answers(engine: Engine, address: str) -> None:
    host, port = address.rsplit(":", 1)
    ask = inside(engine, "bash", "-c", f": < /dev/tcp/{host}/{port}")
    deadline = time.monotonic() + SECONDS
    while subprocess.run(ask, capture_output=True).returncode:
        if time.monotonic() > deadline:
            raise RuntimeError("docker-registry does not listen")
        time.sleep(0.05)
