"""Send and receive: between two instances, whole and as a difference, and streams that are not what they should be."""

from __future__ import annotations

import http.client
import json
import os
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.certificates import certificate
from tests.integration.inventory import datasets, storage_roots
from tests.integration.rig import COMMAND, Daemon, Failed
from tests.integration.wire import Wire
from tests.unit.storage.test_hostile_streams import command, whole
from zonehost.domain.frames import HEADING_SIZE, MAGIC, Kind, frame, parse_heading
from zonehost.linux.btrfs_stream import Kind as Change

POOL = ("--pool-size", str(512 << 20))
FILES = """
cd /data; echo one > file; chown 5:6 file; chmod 4750 file; ln file hard; ln -s file link; mkfifo pipe
dd if=/dev/urandom of=sparse bs=1M seek=40 count=1 2>/dev/null; touch -d '2001-02-03 04:05:06' file
echo rooted > /root/file; rm /bin/vi
"""
CAPABILITY = struct.pack("<5I", 0x02000000, 1 << 10, 0, 0, 0)
"""CAP_NET_BIND_SERVICE, permitted (struct vfs_cap_data of linux/capability.h)."""
LOOK = """
cd /data; find . | sort | xargs stat -c '%n %f %u %g %s %b %Y %h %N'; find . -type f | sort | xargs sha256sum
cat /root/file; ls /bin/vi 2>&1 || true
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[Daemon, Daemon]]:
    here, there = Daemon.make(*POOL), Daemon.make(*POOL)
    try:
        for daemon in (here, there):
            daemon.start()
        here.zonehost("bootstrap", "busybox")
        yield here, there
    finally:
        here.close()
        there.close()


@pytest.fixture
def pair(hosts: tuple[Daemon, Daemon]) -> Iterator[tuple[Daemon, Daemon]]:
    yield hosts
    for daemon in hosts:
        daemon.remove_zones()


def send(daemon: Daemon, *words: str) -> bytes:
    done = subprocess.run([COMMAND, "send", *words], capture_output=True, env=daemon.environment, timeout=120)
    if done.returncode != 0:
        raise Failed(done.stderr.decode())
    return done.stdout


def receive(daemon: Daemon, stream: bytes, *words: str) -> str:
    done = subprocess.run(
        [COMMAND, "receive", *words], input=stream, capture_output=True, env=daemon.environment, timeout=120
    )
    if done.returncode != 0:
        raise Failed(done.stderr.decode())
    return done.stdout.decode().strip()


def snapshot(daemon: Daemon, name: str) -> str:
    (one,) = [line for line in daemon.zonehost("snapshot", "ls", name).splitlines() if line.startswith(f"{name}@")]
    shown = daemon.zonehost("snapshot", "show", one.split()[0])
    return shown.splitlines()[0].split()[1]


def sh(daemon: Daemon, zone: str, script: str) -> str:
    return daemon.docker("exec", zone, "sh", "-c", script)


def files(daemon: Daemon) -> dict[str, tuple[int, int]]:
    """What is below the data root, image layers aside: mode and size, by path."""
    return {
        str(path): (path.lstat().st_mode, path.lstat().st_size)
        for root in storage_roots(daemon.instance)
        for kind in ("volumes", "zones", "snapshots", "staging")
        for path in (root / kind).rglob("*")
    }


def content(daemon: Daemon, volume: str) -> Path:
    """A volume's content, as the daemon sees it."""
    return storage_roots(daemon.instance)[-1] / "volumes" / volume / "_data"


def serve(daemon: Daemon) -> None:
    run = ("run", "-d", "--name", "web", "-v", "data:/data", "-e", "KEY=value", "busybox", "sleep", "600")
    daemon.docker(*run)
    sh(daemon, "web", FILES)


def test_a_zone_arrives_the_same_to_the_byte_and_goes_on_by_differences(pair: tuple[Daemon, Daemon]) -> None:
    here, there = pair
    serve(here)
    attributes = {"user.note": b"a\0b", "security.capability": CAPABILITY, "trusted.overlay.opaque": b"n"}
    for name, value in attributes.items():
        os.setxattr(content(here, "data") / "file", name, value)
    here.zonehost("snapshot", "create", "web@one")
    looked = sh(here, "web", LOOK)
    assert receive(there, send(here, "--layers", "web@one")) == "web@one"
    there.docker("start", "web")
    assert sh(there, "web", LOOK) == looked
    received = content(there, "data") / "file"
    assert {name: os.getxattr(received, name) for name in os.listxattr(received)} == attributes
    assert sh(there, "web", "echo $KEY") == "value"
    assert "busybox" in there.docker("images", "--format", "{{.Repository}}")

    sh(here, "web", "echo two > /data/file; echo two > /root/file; mv /data/sparse /data/moved")
    here.zonehost("snapshot", "create", "web@two")
    difference = send(here, "web@two", "--from", "one")
    assert len(difference) < 100_000
    assert receive(there, difference) == "web@two"
    assert sh(there, "web", "cat /data/file") == "one"
    there.zonehost("clone", "web@two", "web2")
    there.docker("start", "web2")
    assert sh(there, "web2", LOOK) == sh(here, "web", LOOK)
    with pytest.raises(Failed, match="is here already"):
        receive(there, difference)
    assert there.zonehost("snapshot", "ls", "web").count("web@") == 2


def test_a_volume_is_received_under_another_name_on_the_same_host(pair: tuple[Daemon, Daemon]) -> None:
    here, _ = pair
    serve(here)
    stream = send(here, "data")
    with pytest.raises(Failed, match="there is a volume data already"):
        receive(here, stream)
    assert receive(here, stream, "copy").startswith("copy@sent-")
    assert here.docker("run", "--rm", "-v", "copy:/copy", "busybox", "cat", "/copy/file") == "one"


def test_a_wrong_base_is_refused_with_the_right_one(pair: tuple[Daemon, Daemon]) -> None:
    here, there = pair
    serve(here)
    for name in ("one", "two", "three"):
        here.zonehost("snapshot", "create", f"data@{name}")
    receive(there, send(here, "data@one"))
    with pytest.raises(Failed, match="continues from snapshot two of data, which is not here: send it --from one"):
        receive(there, send(here, "data@three", "--from", "two"))
    assert receive(there, send(here, "data@three", "--from", "one")) == "data@three"


def test_layers_that_are_not_there_are_named(hosts: tuple[Daemon, Daemon], new_daemon: Callable[..., Daemon]) -> None:
    here, _ = hosts
    serve(here)
    empty = new_daemon(*POOL)
    with pytest.raises(Failed, match="is not here: pull the image, or send --layers"):
        receive(empty, send(here, "web"))
    assert empty.docker("ps", "-aq") == empty.docker("volume", "ls", "-q") == ""
    here.remove_zones()


def test_a_stream_that_is_not_whole_or_not_right_leaves_nothing(pair: tuple[Daemon, Daemon]) -> None:
    here, there = pair
    serve(here)
    stream = send(here, "data")
    middle = len(stream) // 2
    flipped = stream[:middle] + bytes([stream[middle] ^ 4]) + stream[middle + 1 :]
    newer = stream[:15] + b"\x02" + stream[16:]
    wrong = ((stream[:middle], "cut"), (stream[:-3], "cut"), (flipped, "damaged"), (newer, "version 2"), (b"x", "cut"))
    for bad, words in wrong:
        with pytest.raises(Failed, match=words):
            receive(there, bad)
        assert there.docker("volume", "ls", "-q") == ""
        assert there.zonehost("snapshot", "ls").count("\n") == 1
    assert receive(there, stream).startswith("data@")
    for partial in there.zonehost("receive", "--partials").splitlines():
        there.zonehost("receive", "--forget", partial.split()[1])
    assert datasets(there.instance) == ["pool/snapshots/" + snapshot(there, "data"), "pool/volumes/data"]


def test_a_crafted_stream_reaches_nothing_outside(pair: tuple[Daemon, Daemon]) -> None:
    """Frames as they should be around commands that no kernel sends, as root of another host could make them."""
    here, there = pair
    here.docker("volume", "create", "data")
    there.docker("volume", "create", "outside")
    place = b"../../volumes/outside/_data"
    link = command(Change.SYMLINK, path=b"out", path_link=place)
    inside = command(Change.MKFILE, path=b"inside")
    hostile = (
        whole(command(Change.MKFILE, path=place + b"/made")),
        whole(link, command(Change.MKFILE, path=b"out/made")),
        whole(link, command(Change.MKDIR, path=b"out/made")),
        whole(inside, command(Change.RENAME, path=b"inside", path_to=place + b"/made")),
        whole(inside, link, command(Change.LINK, path=b"out/made", path_link=b"inside")),
        whole(command(Change.CHMOD, path=place, mode=0)),
        whole(link, command(Change.CHMOD, path=b"out", mode=0)),
        whole(command(Change.RMDIR, path=place)),
        whole(command(Change.SYMLINK, path=b"_data", path_link=b"../outside/_data")),
    )
    stream = send(here, "data")
    begin = len(MAGIC) + HEADING_SIZE
    head = stream[: begin + parse_heading(stream[len(MAGIC) : begin], Kind.HEAD).size]
    before = files(there)
    for data in hostile:
        with pytest.raises(Failed):
            receive(
                there, head + frame(Kind.DATASET, b"0") + frame(Kind.DATA, data) + frame(Kind.END) + frame(Kind.DONE)
            )
        assert files(there) == before


def test_a_cut_stream_goes_on_after_a_restart_and_may_be_shipped(pair: tuple[Daemon, Daemon]) -> None:
    here, there = pair
    serve(here)
    looked = sh(here, "web", LOOK)
    here.zonehost("snapshot", "create", "web@one")
    stream = send(here, "--layers", "web@one")
    with pytest.raises(Failed, match="cut"):
        receive(there, stream[: -(1 << 20)], "copy")
    assert there.docker("ps", "-aq") == ""
    there.stop()
    there.start()
    (partial,) = there.zonehost("receive", "--partials").splitlines()
    name, _, _, token = partial.split()
    assert name == "copy@one"
    rest = send(here, "--resume", token)
    assert len(rest) < 2 << 20 < len(stream)
    flipped = rest[:-600] + bytes([rest[-600] ^ 1]) + rest[-599:]
    with pytest.raises(Failed, match="a checksum is wrong; to go on, send --resume"):
        receive(there, flipped)
    assert here.zonehost("ship", "web@one", f"unix://{there.endpoint}", "--name", "other") == "other@one\n"
    (partial,) = there.zonehost("receive", "--partials").splitlines()
    assert receive(there, send(here, "--resume", partial.split()[-1])) == "copy@one"
    there.docker("start", "copy")
    assert sh(there, "copy", LOOK) == looked
    with pytest.raises(Failed, match="nothing to be continued"):
        receive(there, rest)


def test_shipping_goes_on_by_itself_where_the_connection_broke(
    pair: tuple[Daemon, Daemon], new_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    here, there = pair
    serve(here)
    looked = sh(here, "web", LOOK)
    shell = tmp_path / "ssh"
    # Stands for ssh(1), and for a line that breaks once, after so many bytes.
    shell.write_text(
        f"""#!/bin/sh
        export DOCKER_HOST=unix://{there.endpoint} PATH={COMMAND.parent}:$PATH
        case $2 in *partials) exec sh -c "$2";; esac
        [ -e {tmp_path}/broken ] && exec sh -c "$2"
        touch {tmp_path}/broken
        head -c 1200000 | sh -c "$2"
        """
    )
    shell.chmod(0o755)
    here.zonehost("snapshot", "create", "web@one")
    assert here.zonehost("ship", "web@one", "production", "--ssh", str(shell), "--name", "copy") == "copy@one\n"
    assert (tmp_path / "broken").exists()
    there.docker("start", "copy")
    assert sh(there, "copy", LOOK) == looked
    assert there.zonehost("receive", "--partials") == ""


def test_progress_is_lines_of_json_with_the_time_left(pair: tuple[Daemon, Daemon], tmp_path: Path) -> None:
    here, _ = pair
    serve(here)
    words = [str(COMMAND), "send", "--progress", "json", "data"]
    with (tmp_path / "stream").open("wb") as file:
        done = subprocess.run(words, stdout=file, stderr=subprocess.PIPE, env=here.environment, timeout=120, check=True)
    last = json.loads(done.stderr.splitlines()[-1])
    size = (tmp_path / "stream").stat().st_size
    assert (last["bytes"], last["done"]) == (size, True)
    assert last["total"] == pytest.approx(size, rel=0.05) and last["rate"] > 0 and last["left"] is not None


def test_a_deployment_by_snapshot(pair: tuple[Daemon, Daemon], new_daemon: Callable[..., Daemon]) -> None:
    """The story of docs/storage.md: staging to production, whole once, then by differences, and back."""
    staging, first = pair
    second = new_daemon(*POOL)
    production = (first, second)
    serve(staging)
    staging.zonehost("snapshot", "create", "web@v1")
    for host in production:
        assert staging.zonehost("ship", "web@v1", f"unix://{host.endpoint}") == "web@v1\n"
        host.docker("start", "web")
        assert sh(host, "web", "cat /data/file /root/file") == "one\nrooted"
    sh(staging, "web", "echo two > /data/file")
    staging.zonehost("snapshot", "create", "web@v2")
    for host in production:
        staging.zonehost("ship", "web@v2", f"unix://{host.endpoint}", "--from", "v1")
        host.zonehost("clone", "web@v2", "web-v2")
        host.docker("stop", "-t", "0", "web")
        host.docker("start", "web-v2")
        assert sh(host, "web-v2", "cat /data/file") == "two"
        host.docker("stop", "-t", "0", "web-v2")
        host.zonehost("snapshot", "rollback", "web@v1")
        host.docker("start", "web")
        assert sh(host, "web", "cat /data/file") == "one"


def test_shipping_by_ssh_asks_there_which_layers_are_lacking(
    pair: tuple[Daemon, Daemon], new_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    here, _ = pair
    there = new_daemon(*POOL)
    serve(here)
    shell = tmp_path / "ssh"
    # Stands for ssh(1): runs the command, as if on the other host.
    shell.write_text(f'#!/bin/sh\nDOCKER_HOST=unix://{there.endpoint} PATH={COMMAND.parent}:$PATH exec sh -c "$2"\n')
    shell.chmod(0o755)
    shipped = here.zonehost("ship", "web", "production", "--ssh", str(shell), "--name", "copy")
    assert shipped.startswith("copy@sent-")
    there.docker("start", "copy")
    assert sh(there, "copy", "cat /data/file") == "one"
    with pytest.raises(Failed, match="already in use"):
        here.zonehost("ship", "web", "production", "--ssh", str(shell), "--name", "copy")


def test_shipping_over_tls_asks_both_sides_for_certificates(
    pair: tuple[Daemon, Daemon], new_daemon: Callable[..., Daemon], tmp_path: Path
) -> None:
    here, _ = pair
    serve(here)
    authority = certificate(tmp_path, "ca", None)
    for name in ("server", "cert"):
        certificate(tmp_path, name, authority)
    (tmp_path / "cert.key").rename(tmp_path / "key.pem")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    there = new_daemon(
        *(*POOL, "--host", f"tcp://127.0.0.1:{port}", "--tlscacert", f"{tmp_path}/ca.pem"),
        *("--tlscert", f"{tmp_path}/server.pem", "--tlskey", f"{tmp_path}/server.key"),
    )
    here.environment["DOCKER_CERT_PATH"] = str(tmp_path)
    try:
        shipped = here.zonehost("ship", "web", f"tcp://127.0.0.1:{port}", "--name", "copy")
        here.environment["DOCKER_CERT_PATH"] = "/nowhere"
        with pytest.raises(Failed, match=r"tcp:// needs ca.pem, cert.pem and key.pem in /nowhere"):
            here.zonehost("ship", "web", f"tcp://127.0.0.1:{port}")
    finally:
        del here.environment["DOCKER_CERT_PATH"]
    assert shipped.startswith("copy@sent-")
    there.docker("start", "copy")
    assert sh(there, "copy", "cat /data/file /root/file") == "one\nrooted"


def test_the_api_takes_a_plain_body_and_tells_its_progress(pair: tuple[Daemon, Daemon]) -> None:
    here, there = pair
    serve(here)
    stream = send(here, "data")
    connection = http.client.HTTPConnection("localhost", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(there.endpoint))
    connection.request("POST", "/zonehost/v1/receive?progress=1&name=one", stream)
    lines = [json.loads(line) for line in connection.getresponse()]
    assert lines[-2:] == [{"received": len(stream)}, {"Name": "one", "Snapshot": lines[-1]["Snapshot"]}]
    answered = Wire(here.endpoint).raw("POST", "/zonehost/v1/send?source=data")
    assert answered.status == 200 and answered.body.startswith(b"zonehost-stream")
    assert receive(there, answered.body, "two").startswith("two@")
