"""`zonehost stale` and `rebuild --stale`: package managers ask their own sources, in a zone of the image."""

from __future__ import annotations

import functools
import json
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.integration.rig import COMMAND, Daemon, Result

BASE = "debian:bookworm"
HERE = "127.0.0.1:1/debian:bookworm"
"""A name whose registry nobody serves: the image is this host's own."""
APT_AND_PIP = """\
FROM {base}
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip
RUN echo 'deb [trusted=yes] {sources}/apt ./' > /etc/apt/sources.list.d/own.list
COPY pip.conf /etc/pip.conf
RUN apt-get update && apt-get install -y hello-zone
RUN pip install hello-wheel
"""
PRINTED = {
    # As the tools print it: apk 2.14, npm 9.2 (lib/commands/outdated.js).
    "apk": (
        "Installed:                                Available:",
        "busybox-1.36.1-r15                      < 1.36.1-r29",
        "so-2-lib-3.1.4-r5                       < 3.1.8-r1",
    ),
    "npm": (
        "/usr/lib/node_modules/left-pad:left-pad@1.3.0:left-pad@1.1.0:left-pad@1.3.0:global",
        "/usr/lib/node_modules/@scope/tool:@scope/tool@2.0.1:@scope/tool@1.9.0:@scope/tool@2.0.1:global",
        "/usr/lib/node_modules/gone:gone@1.0.0:MISSING:gone@1.0.0:global",
    ),
}


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def sources(daemon: Daemon, tmp_path: Path) -> Iterator[str]:
    """The address at which zones find the folder `sources`."""
    gateway = daemon.docker("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "bridge")
    folder = tmp_path / "sources"
    folder.mkdir()
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer((gateway, 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{gateway}:{server.server_port}"
        server.shutdown()


def publish(folder: Path, version: str) -> None:
    """A Debian package and a Python wheel of this version, in sources of their kinds."""
    control = folder / version / "DEBIAN/control"
    control.parent.mkdir(parents=True)
    control.write_text(
        f"Package: hello-zone\nVersion: {version}\nArchitecture: all\nMaintainer: nobody\nDescription: a test\n"
    )
    apt = folder / "apt"
    apt.mkdir(exist_ok=True)
    subprocess.run(["dpkg-deb", "--build", str(folder / version), str(apt)], check=True, capture_output=True)
    listed = subprocess.run(["dpkg-scanpackages", "--multiversion", "."], cwd=apt, check=True, capture_output=True)
    (apt / "Packages").write_bytes(listed.stdout)
    simple = folder / "simple/hello-wheel"
    simple.mkdir(parents=True, exist_ok=True)
    described = f"hello_wheel-{version}.dist-info"
    wheel = simple / f"hello_wheel-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("hello_wheel.py", "")
        archive.writestr(f"{described}/METADATA", f"Metadata-Version: 2.1\nName: hello-wheel\nVersion: {version}\n")
        archive.writestr(f"{described}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{described}/RECORD", "")
    links = "".join(f'<a href="{path.name}">{path.name}</a>' for path in sorted(simple.glob("*.whl")))
    (simple / "index.html").write_text(links)


def stale(daemon: Daemon, *words: str) -> Result:
    command = [str(COMMAND), "stale", *words]
    done = subprocess.run(command, capture_output=True, text=True, env=daemon.environment, timeout=300)
    return Result(" ".join(command), done.returncode, done.stdout, done.stderr)


@pytest.mark.timeout(900)
def test_apt_and_pip(daemon: Daemon, sources: str, tmp_path: Path) -> None:
    daemon.zonehost("bootstrap", BASE)
    daemon.docker("tag", BASE, HERE)
    publish(tmp_path / "sources", "1.0")
    context = tmp_path / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(APT_AND_PIP.format(base=HERE, sources=sources))
    host = sources.removeprefix("http://").partition(":")[0]
    (context / "pip.conf").write_text(
        f"[global]\nindex-url = {sources}/simple/\ntrusted-host = {host}\nbreak-system-packages = true\n"
    )
    daemon.docker("build", "-q", "-t", "app", ".", cwd=context, timeout=600)
    fresh = stale(daemon, "app")
    assert (fresh.status, fresh.out) == (0, "nothing is out of date\n"), fresh.err
    publish(tmp_path / "sources", "2.0")
    found = stale(daemon, "--json", "app")
    assert found.status == 3
    subjects = {finding["subject"]: finding["detail"] for finding in json.loads(found.out)}
    assert subjects == {
        "apt hello-zone": "1.0 is installed, 2.0 is to be had",
        "pip hello-wheel": "1.0 is installed, 2.0 is to be had",
    }
    daemon.zonehost("rebuild", "--stale", "app", str(context))
    assert stale(daemon, "app").status == 0
    installed = daemon.docker("run", "--rm", "app", "dpkg-query", "-W", "hello-zone")
    assert installed.split() == ["hello-zone", "2.0"]
    assert daemon.zonehost("rebuild", "--stale", "app", str(context)) == "app is not out of date\n"


@pytest.mark.parametrize(
    ("tool", "found"),
    [
        ("apk", ["apk busybox: 1.36.1-r15, 1.36.1-r29", "apk so-2-lib: 3.1.4-r5, 3.1.8-r1"]),
        ("npm", ["npm left-pad: 1.1.0, 1.3.0", "npm @scope/tool: 1.9.0, 2.0.1"]),
    ],
)
def test_what_other_tools_print(daemon: Daemon, tmp_path: Path, tool: str, found: list[str]) -> None:
    printed = "\n".join(PRINTED[tool])
    (tmp_path / tool).write_text(f"#!/bin/sh\ncase \"$*\" in *update) exit;; esac\ncat <<'END'\n{printed}\nEND\n")
    (tmp_path / tool).chmod(0o755)
    (tmp_path / "Dockerfile").write_text(f"FROM busybox\nCOPY {tool} /bin/{tool}\n")
    daemon.docker("build", "-q", "-t", "tool", ".", cwd=tmp_path)
    result = stale(daemon, "tool", "--json")
    assert result.status == 3
    told = [
        f"{finding['subject']}: {finding['detail']}".replace(" is installed", "").replace(" is to be had", "")
        for finding in json.loads(result.out)
    ]
    assert told == found


def test_what_cannot_be_asked(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY file /file\n")
    daemon.docker("build", "-q", "-t", "nothing", ".", cwd=tmp_path)
    result = stale(daemon, "nothing")
    assert result.status == 4
    assert "cannot be asked" in result.out
    assert stale(daemon, "not-here").status == 1
