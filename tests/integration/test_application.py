"""A whole application: built on Debian, pushed, pulled by a second instance, and run there."""

from __future__ import annotations

import shutil
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.registry.servers import debian_registry
from tests.integration.rig import Daemon

pytestmark = pytest.mark.skipif(shutil.which("docker-registry") is None, reason="docker-registry is not installed")

BASE = "debian:bookworm"
DOCKERFILE = """\
FROM debian:bookworm AS page
RUN mkdir /page && echo "built in a zone" > /page/index.html

FROM debian:bookworm
# zonehost: fresh=7d
RUN --mount=type=cache,target=/var/cache/apt/archives \\
    apt-get update && apt-get install -y --no-install-recommends nginx-light python3-minimal
COPY --from=page /page /srv/page
COPY --chmod=0755 <<'END' /usr/local/bin/service
#!/usr/bin/python3
import socket
server = socket.create_server(("127.0.0.1", 8001))
while True:
    client, _ = server.accept()
    client.recv(4096)
    client.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\nfrom the service\\n")
    client.close()
END
COPY <<END /etc/nginx/nginx.conf
daemon off;
error_log /dev/stderr;
events {}
http {
    access_log off;
    server {
        listen 80;
        root /srv/page;
        location /service { proxy_pass http://127.0.0.1:8001; }
    }
}
END
EXPOSE 80
CMD ["/bin/sh", "-c", "/usr/local/bin/service & exec nginx"]
"""


@pytest.fixture(scope="module")
def base(shared_daemon: Daemon) -> str:
    shared_daemon.zonehost("bootstrap", BASE)
    return BASE


@pytest.mark.timeout(1200)
async def test_an_application(daemon: Daemon, new_daemon: Callable[..., Daemon], base: str, tmp_path: Path) -> None:
    async with debian_registry(tmp_path / "registry") as registry:
        name = f"{registry}/app:1"
        (tmp_path / "Dockerfile").write_text(DOCKERFILE)
        first = daemon.docker("build", "-t", name, ".", cwd=tmp_path, timeout=600)
        assert "Successfully tagged" in first
        again = daemon.docker("build", "-t", name, ".", cwd=tmp_path)
        assert "it asked outside (apt-get update, apt-get install" in again
        daemon.docker("push", name, timeout=300)
        other = new_daemon()
        other.docker("pull", name, timeout=300)
        other.docker("run", "--detach", "--name", "app", "--publish", "127.0.0.1::80", name)
        address = other.docker("port", "app", "80").splitlines()[0]
        assert _fetch(f"http://{address}/") == "built in a zone\n"
        assert _fetch(f"http://{address}/service") == "from the service\n"


def _fetch(url: str) -> str:
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")
