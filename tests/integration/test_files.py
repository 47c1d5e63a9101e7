"""Files of zones that run: seen with all that is mounted in them, with the zone's own ids, and never outside."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import os
import subprocess
import tarfile
import threading
from pathlib import Path

from tests.integration.rig import Daemon


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member for member in archive}


def copied(daemon: Daemon, source: str, scratch: Path) -> dict[str, tarfile.TarInfo]:
    """What `docker cp SOURCE -` writes."""
    target = scratch / "copied.tar"
    command = ["sh", "-c", 'docker cp "$1" - > "$2"', "sh", source, str(target)]
    subprocess.run(command, check=True, env=daemon.environment)
    return members(target.read_bytes())


def test_what_is_mounted_is_seen_and_written(daemon: Daemon, tmp_path: Path) -> None:
    daemon.docker("run", "-d", "--name", "box", "-v", "data:/data", "--tmpfs", "/tmpfs", "busybox", "sleep", "600")
    daemon.docker("exec", "box", "sh", "-c", "echo volume > /data/f; echo tmpfs > /tmpfs/f; chown 33:44 /tmpfs/f")
    assert copied(daemon, "box:/data", tmp_path).keys() == {"data", "data/f"}
    found = copied(daemon, "box:/tmpfs/f", tmp_path)["f"]
    assert (found.uid, found.gid, found.size) == (33, 44, 6)
    (tmp_path / "new").write_text("new")
    os.chown(tmp_path / "new", 55, 66)
    for folder in ("/data", "/tmpfs", "/root"):
        daemon.docker("cp", str(tmp_path / "new"), f"box:{folder}/")
        assert daemon.docker("exec", "box", "stat", "-c", "%u:%g %s", f"{folder}/new") == "55:66 3"
    assert daemon.docker("exec", "box", "cat", "/data/new") == "new"


def test_a_mounted_file_is_not_replaced(daemon: Daemon, tmp_path: Path) -> None:
    daemon.docker("run", "-d", "--name", "box", "busybox", "sleep", "600")
    before = daemon.docker("exec", "box", "cat", "/etc/hosts")
    (tmp_path / "hosts").write_text("mine")
    result = daemon.run("cp", str(tmp_path / "hosts"), "box:/etc/hosts")
    assert result.status == 1
    assert "busy" in result.err
    assert daemon.docker("exec", "box", "cat", "/etc/hosts") == before


def test_read_only_roots_and_volumes_stay_so(daemon: Daemon, tmp_path: Path) -> None:
    daemon.docker(
        *(
            "run",
            "-d",
            "--name",
            "box",
            "--read-only",
            "-v",
            "first:/ro:ro",
            "-v",
            "second:/rw",
            "busybox",
            "sleep",
            "600",
        )
    )
    (tmp_path / "f").write_text("1")
    for running in (True, False):
        if not running:
            daemon.docker("stop", "-t", "0", "box")
        assert "container rootfs is marked read-only" in daemon.run("cp", str(tmp_path / "f"), "box:/tmp").err
        assert "mounted volume is marked read-only" in daemon.run("cp", str(tmp_path / "f"), "box:/ro").err
        daemon.docker("cp", str(tmp_path / "f"), f"box:/rw/{running}")
    daemon.docker("start", "box")
    assert daemon.docker("exec", "box", "ls", "/rw").split() == ["False", "True"]


def test_with_archive_mode_files_belong_to_the_container_s_user(daemon: Daemon, tmp_path: Path) -> None:
    daemon.docker("run", "-d", "--name", "box", "--user", "www-data", "busybox", "sleep", "600")
    (tmp_path / "f").write_text("1")
    daemon.docker("cp", "-a", str(tmp_path / "f"), "box:/tmp/archive")
    daemon.docker("cp", str(tmp_path / "f"), "box:/tmp/plain")
    assert daemon.docker("exec", "box", "stat", "-c", "%u:%g", "/tmp/archive", "/tmp/plain").split() == ["33:33", "0:0"]


def test_a_zone_that_swaps_links_under_a_copy_gets_nothing_outside(daemon: Daemon, tmp_path: Path) -> None:
    """A directory that becomes a link out and back, as fast as the zone can, while archives are unpacked through it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    links = "".join(f"ln -sfn {target} d; rm d; " for target in (outside, f"/proc/self/root{outside}"))
    swap = f"mkdir -p /t/real; cd /t; while :; do mv real d; mv d real; {links} done 2>/dev/null"
    daemon.docker("run", "-d", "--name", "box", "busybox", "sh", "-c", swap)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for number in range(200):
            info = tarfile.TarInfo(f"d/f{number}")
            archive.addfile(info)
    statuses = []

    def copy() -> None:
        statuses.append(daemon.run("cp", "-", "box:/t", stdin=data.getvalue()).status)

    copies = [threading.Thread(target=copy) for _ in range(8)]
    for thread in copies:
        thread.start()
    for thread in copies:
        thread.join()
    assert len(statuses) == 8
    assert list(outside.iterdir()) == []


def test_export_and_import_give_the_same_files(daemon: Daemon, tmp_path: Path) -> None:
    script = "mkdir /x; echo 1 > /x/f; ln /x/f /x/h; ln -s f /x/l; chown 7:8 /x/f; chmod 4750 /x/f; rm /bin/vi"
    daemon.docker("run", "--name", "box", "-v", "/mounted", "busybox", "sh", "-c", script)
    daemon.docker("export", "-o", str(tmp_path / "root.tar"), "box")
    found = members((tmp_path / "root.tar").read_bytes())
    assert "bin/vi" not in found
    assert (found["x/f"].uid, found["x/f"].gid, found["x/f"].mode) == (7, 8, 0o4750)
    assert (found["x/h"].type, found["x/l"].linkname) == (tarfile.LNKTYPE, "f")
    daemon.docker("import", str(tmp_path / "root.tar"), "again:1")
    told = daemon.docker("run", "--rm", "again:1", "stat", "-c", "%u:%g %a %h", "/x/f")
    assert told == "7:8 4750 2"
    daemon.docker("rmi", "again:1")


def test_a_new_volume_gets_what_the_image_has(daemon: Daemon) -> None:
    build = "FROM busybox\nRUN mkdir /v && echo 1 > /v/f && chown -R 33:44 /v && chmod 750 /v && ln /v/f /v/g\n"
    daemon.docker("build", "-q", "-t", "full", "-", stdin=build)
    told = daemon.docker("run", "--rm", "-v", "full:/v", "full", "sh", "-c", "stat -c '%u:%g %a' /v; stat -c %h /v/f")
    assert told.splitlines() == ["33:44 750", "2"]
    daemon.docker("run", "--rm", "-v", "full:/v", "full", "rm", "/v/f")
    assert daemon.docker("run", "--rm", "-v", "full:/v", "full", "ls", "/v") == "g"
    daemon.docker("rmi", "full")


def test_an_archive_is_imported_from_its_address(daemon: Daemon, tmp_path: Path) -> None:
    daemon.docker("run", "--name", "box", "busybox", "sh", "-c", "echo there > /made")
    daemon.docker("export", "-o", str(tmp_path / "tree.tar"), "box")
    served = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), served) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            address = f"http://127.0.0.1:{server.server_port}"
            told = daemon.docker("import", "-c", 'CMD ["cat", "/made"]', f"{address}/tree.tar", "brought").splitlines()
            assert (len(told), told[0]) == (2, f"Downloading from {address}/tree.tar")
            assert told[1] == daemon.docker("inspect", "-f", "{{.Id}}", "brought")
            assert daemon.docker("run", "--rm", "brought") == "there"
            comment = daemon.docker("history", "--format", "{{.Comment}}", "brought")
            assert comment == f"Imported from {address}/tree.tar"
            absent = daemon.run("import", f"{address}/absent.tar", "brought")
            assert (absent.status, absent.out) == (1, "")
            assert f"failed to GET {address}/absent.tar with status 404 File not found" in absent.err
        finally:
            server.shutdown()


def test_an_archive_comes_whole_in_chunks_and_without_them(daemon: Daemon, tmp_path: Path) -> None:
    daemon.docker("run", "-d", "--name", "box", "busybox", "sleep", "600")
    daemon.docker("exec", "box", "sh", "-c", "head -c 20000000 /dev/urandom > /random")
    digest = daemon.docker("exec", "box", "sha256sum", "/random").split()[0]
    for version in ("--http1.0", "--http1.1"):
        archive = tmp_path / "archive.tar"
        url = "http://docker/containers/box/export"
        subprocess.run(["curl", "-sSf", version, "--unix-socket", daemon.endpoint, url, "-o", archive], check=True)
        with tarfile.open(archive) as opened:
            found = opened.extractfile("random")
            assert found is not None
            assert hashlib.sha256(found.read()).hexdigest() == digest
