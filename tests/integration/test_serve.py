"""`zonehost serve`: where it listens, whom it lets in, and that two daemons on one machine do not meet."""

from __future__ import annotations

import grp
import os
import socket
import ssl
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.certificates import certificate
from tests.integration.inventory import holdings
from tests.integration.rig import COMMAND, Daemon
from tests.integration.wire import Wire

MakeDaemon = Callable[..., Daemon]


def _refusal(*options: str) -> str:
    done = subprocess.run([str(COMMAND), "serve", *options], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    return done.stderr


def _roots(tmp_path: Path) -> tuple[str, ...]:
    return ("--data-root", str(tmp_path / "data"), "--run-root", str(tmp_path / "run"), "--name", "refused")


@pytest.fixture
def passed(tmp_path: Path) -> Iterator[tuple[socket.socket, Path]]:
    """A socket that listens for daemons, and a command that starts one as systemd would, with the socket."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "api"))
        listener.listen()
        command = tmp_path / "serve"
        command.write_text(
            f"#!{COMMAND.with_name('python3')}\n"
            "import os, sys\n"
            "from zonehost.linux import pidfd\n"
            f"os.dup2(pidfd.borrow(os.pidfd_open({os.getpid()}), {listener.fileno()}), 3)\n"
            "os.set_inheritable(3, True)\n"
            "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')\n"
            f"os.execv({str(COMMAND)!r}, [{str(COMMAND)!r}, *sys.argv[1:]])\n"
        )
        command.chmod(0o755)
        yield listener, command


def _ping(client: socket.socket) -> bytes:
    client.settimeout(60)
    client.sendall(b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
    return b"".join(iter(lambda: client.recv(4096), b""))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--host", "tcp://127.0.0.1:0"), "--insecure-tcp"),
        (("--host", "tcp://0.0.0.0:0", "--insecure-tcp"), "TLS"),
        (("--host", "http://x"), "unix:///PATH"),
        (("--host", "fd://"), "zonehost.socket"),
        (("--name", "a/b"), "name"),
        (("--tlscert", "/nowhere"), "tlskey"),
        (("--config", "/nowhere/config.toml"), "no such file"),
    ],
)
def test_what_is_unsafe_or_unclear_is_refused_with_the_cure(
    tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    assert words in _refusal(*_roots(tmp_path), *options)


def test_a_socket_that_was_passed_outlives_the_daemon_in_a_container_too(
    new_daemon: MakeDaemon, passed: tuple[socket.socket, Path]
) -> None:
    listener, command = passed
    path = listener.getsockname()
    daemon = new_daemon()
    daemon.zonehost("bootstrap", "busybox")
    daemon.stop()
    daemon.command, daemon.options = command, ("--host", "fd://")
    daemon.start()
    daemon.docker("run", "-d", "--name", "watcher", "-v", f"{path}:/api", "busybox", "sleep", "3600")
    inside = f"/proc/{daemon.docker('inspect', '-f', '{{.State.Pid}}', 'watcher')}/root/api"
    daemon.kill()
    with socket.socket(socket.AF_UNIX) as early, socket.socket(socket.AF_UNIX) as within:
        early.connect(path)
        daemon.start()
        assert _ping(early).endswith(b"OK")
        within.connect(inside)
        assert _ping(within).endswith(b"OK")
    daemon.stop()
    assert Path(path).is_socket()
    daemon.start()


def test_the_socket_is_for_root_and_the_group_docker(daemon: Daemon) -> None:
    status = daemon.endpoint.stat()
    assert stat.S_IMODE(status.st_mode) == 0o660
    groups = [group.gr_gid for group in grp.getgrall() if group.gr_name == "docker"]
    assert status.st_gid == (groups or [0])[0]


def test_a_second_daemon_on_the_same_folders_is_refused(daemon: Daemon) -> None:
    instance = daemon.instance
    options = ("--data-root", str(instance.data_root), "--run-root", str(instance.run_root), "--name", instance.name)
    assert _refusal(*options, "--host", f"unix://{instance.run_root}/other.sock")
    assert Wire(daemon.endpoint).raw("GET", "/_ping").body == b"OK"


def test_a_second_daemon_of_the_same_name_is_refused_and_ends_no_zone(daemon: Daemon, tmp_path: Path) -> None:
    daemon.docker("run", "-d", "--name", "lives", "busybox", "sleep", "3600")
    options = ("--data-root", str(tmp_path / "data"), "--run-root", str(tmp_path / "run"))
    socket = ("--host", f"unix://{tmp_path}/other.sock")
    refusal = _refusal(*options, "--name", daemon.instance.name, *socket)
    assert f"another daemon has the name {daemon.instance.name}" in refusal
    assert daemon.docker("exec", "lives", "echo", "alive") == "alive"


def test_two_daemons_share_nothing(new_daemon: MakeDaemon) -> None:
    first, second = new_daemon(), new_daemon()
    for daemon in (first, second):
        daemon.zonehost("bootstrap", "busybox")
        daemon.docker(
            "run", "-d", "--name", "same", "-v", "same:/same", "-p", "127.0.0.1::80", "busybox", "sleep", "600"
        )
    assert first.docker("inspect", "-f", "{{.Id}}", "same") != second.docker("inspect", "-f", "{{.Id}}", "same")
    first.remove_zones()
    assert first.stop() == 0
    assert holdings(first.instance) == []
    assert second.docker("exec", "same", "echo", "alive") == "alive"


def test_plain_tcp_answers_on_loopback_when_insisted_on(new_daemon: MakeDaemon) -> None:
    port = _free_port()
    daemon = new_daemon("--host", f"tcp://127.0.0.1:{port}", "--insecure-tcp")
    daemon.environment["DOCKER_HOST"] = f"tcp://127.0.0.1:{port}"
    assert daemon.docker("version", "--format", "{{.Server.Os}}") == "linux"


def test_tcp_asks_for_a_certificate_of_the_authority(new_daemon: MakeDaemon, tmp_path: Path) -> None:
    authority = certificate(tmp_path, "ca", None)
    certificate(tmp_path, "server", authority)
    certificate(tmp_path, "client", authority)
    certificate(tmp_path, "stranger", certificate(tmp_path, "other", None))
    port = _free_port()
    daemon = new_daemon(
        *("--host", f"tcp://127.0.0.1:{port}", "--tlscacert", f"{tmp_path}/ca.pem"),
        *("--tlscert", f"{tmp_path}/server.pem", "--tlskey", f"{tmp_path}/server.key"),
    )
    tls = ("--tlsverify", "--tlscacert", f"{tmp_path}/ca.pem", "-H", f"tcp://127.0.0.1:{port}")
    known = ("--tlscert", f"{tmp_path}/client.pem", "--tlskey", f"{tmp_path}/client.key")
    unknown = ("--tlscert", f"{tmp_path}/stranger.pem", "--tlskey", f"{tmp_path}/stranger.key")
    del daemon.environment["DOCKER_HOST"]
    assert daemon.docker(*tls, *known, "version", "--format", "{{.Server.Os}}") == "linux"
    assert daemon.run(*tls, *unknown, "version").status != 0
    context = ssl.create_default_context(cafile=f"{tmp_path}/ca.pem")
    with (
        pytest.raises((ssl.SSLError, ConnectionError)),
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
    ):
        wrapped.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wrapped.recv(1) == b"", "the daemon answered a client without a certificate"
        raise ConnectionError
    daemon.environment["DOCKER_HOST"] = f"unix://{daemon.endpoint}"
