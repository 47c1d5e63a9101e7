"""Debian's docker-compose, unchanged: a stack with health, aliases, an internal network, volumes and replicas."""

from __future__ import annotations

import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.integration.rig import Daemon

pytestmark = pytest.mark.skipif(shutil.which("docker-compose") is None, reason="needs docker-compose")

STACK = """
version: "3.8"
services:
  store:
    image: busybox
    command: sh -c 'echo stored >/data/index.html; httpd -f -p 80 -h /data'
    networks: {back: {aliases: [database]}}
    volumes: ["data:/data"]
    healthcheck: {test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1/"], interval: 1s, retries: 30}
  web:
    image: busybox
    command: sh -c 'while ! wget -q -O /index.html http://database/; do sleep 0.1; done; httpd -f -p 80 -h /'
    ports: ["127.0.0.1::80"]
    networks: [front, back]
  worker:
    image: busybox
    command: sleep 1000
    networks: [front]
networks:
  front: {}
  back: {internal: true}
volumes:
  data: {}
"""


class Compose:
    """`docker-compose` on one stack."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon = daemon
        self.folder = folder
        (folder / "docker-compose.yml").write_text(STACK)

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            ["docker-compose", "--ansi", "never", "--project-name", "stack", *words],
            cwd=self.folder,
            env=self.daemon.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def page(self) -> str:
        """What the published port of `web` answers, once it does."""
        address = self("port", "web", "80").strip()
        self("exec", "-T", "web", "sh", "-c", "while ! wget -q -O /dev/null http://127.0.0.1/; do sleep 0.1; done")
        with urllib.request.urlopen(f"http://{address}/", timeout=30) as answer:
            text: bytes = answer.read()
        return text.decode()


def test_a_stack_comes_up_is_scaled_and_goes_without_a_trace(daemon: Daemon, tmp_path: Path) -> None:
    compose = Compose(daemon, tmp_path)
    compose("up", "--detach")
    assert compose.page() == "stored\n"
    compose("up", "--detach", "--scale", "worker=3")
    found = compose("exec", "-T", "web", "nslookup", "worker", "127.0.0.11")
    addresses = {line.split()[-1] for line in found.splitlines() if line.startswith("Address") and ":53" not in line}
    assert len(addresses) == 3
    # What is in the internal network only has no way out, and the front does not know it.
    assert "default" not in daemon.docker("exec", "stack_store_1", "ip", "route")
    assert daemon.run("exec", "stack_worker_1", "nslookup", "database", "127.0.0.11").status != 0
    compose("restart", "web")
    assert compose.page() == "stored\n"
    compose("up", "--detach", "--force-recreate", "store")
    assert "stored" in compose("run", "--rm", "web", "wget", "-q", "-O", "-", "http://store/")
    compose("down", "--volumes")
    for kind in ("container", "network", "volume"):
        words = ("ls", "--quiet", *(("--all",) if kind == "container" else ()))
        assert daemon.docker(kind, *words, "--filter", "label=com.docker.compose.project=stack") == ""
