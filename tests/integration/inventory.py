"""What the kernel holds of one instance of zonehost, read without asking zonehost.

Owns the reading of /proc, /sys, `ip` and `nft`; shares no code with the daemon, so that a daemon that forgets a thing
cannot also hide it. Knows only the names that an instance may use: its two folders, its cgroups, its nft table and the
prefixes of its links.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Instance:
    """The names by which an instance can be recognised in the kernel."""

    name: str
    data_root: Path
    run_root: Path

    @property
    def folders(self) -> tuple[str, ...]:
        return (str(self.data_root), str(self.run_root))

    @property
    def cgroup(self) -> str:
        return f"zonehost/{self.name}"

    @property
    def table(self) -> str:
        return f"zonehost-{self.name}"

    @property
    def link_prefixes(self) -> tuple[str, ...]:
        mark = hashlib.sha256(self.name.encode()).hexdigest()[:5]
        return (f"zb{mark}", f"zv{mark}")

    def owns_path(self, text: str) -> bool:
        """Whether `text` holds a path of one of the instance's folders."""
        return any(folder in text for folder in self.folders)


def holdings(instance: Instance) -> list[str]:
    """One line for everything that the kernel still holds of `instance`, sorted."""
    found = [
        *_processes(instance),
        *_mounts(instance),
        *_cgroups(instance),
        *_links(instance),
        *_tables(instance),
        *_loop_devices(instance),
        *_sockets(instance),
    ]
    return sorted(set(found))


def datasets(instance: Instance) -> list[str]:
    """The zones, volumes and snapshots that have a folder under the data root, or a subvolume in its pool."""
    return sorted(
        str(entry).partition(f"{instance.data_root}/")[2]
        for root in storage_roots(instance)
        for kind in ("zones", "volumes", "snapshots", "staging")
        for entry in _entries(root / kind)
        if entry.is_dir()
    )


def storage_roots(instance: Instance) -> list[Path]:
    """Where an instance keeps files: its data root, and its pool if it has one."""
    return [instance.data_root, *_pools(instance)]


def _pools(instance: Instance) -> Iterator[Path]:
    """The pool, as the first process sees it that has it mounted: it is not in the host's mount namespace."""
    place = str(instance.data_root / "pool")
    for process in _pids():
        if any(line.split()[4] == place for line in _read(process / "mountinfo").splitlines()):
            yield Path(f"{process}/root{place}")
            return


def _processes(instance: Instance) -> Iterator[str]:
    for process in _pids():
        command = _read(process / "cmdline").replace("\0", " ").strip()
        if _has_ended(process):
            continue
        if f"/{instance.cgroup}/" in _read(process / "cgroup").replace("\n", "/\n") or instance.owns_path(command):
            yield f"process {process.name}: {command}"
        elif any(instance.owns_path(_target(process / link)) for link in ("cwd", "root", "exe")):
            yield f"process {process.name} works in a folder of the instance: {command}"


def _has_ended(process: Path) -> bool:
    """Whether its memory is gone: it only waits to be taken out of the table, and runs nothing (proc_pid_exe(5)).

    Should it hang on its way out, its cgroup is still there and is found.
    """
    return not _target(process / "exe")


def _mounts(instance: Instance) -> Iterator[str]:
    seen: set[str] = set()
    for process in _pids():
        namespace = _target(process / "ns" / "mnt")
        if namespace in seen:
            continue
        seen.add(namespace)
        for line in _read(process / "mountinfo").splitlines():
            if instance.owns_path(line):
                yield f"mount in {namespace} (process {process.name}): {line}"


def _cgroups(instance: Instance) -> Iterator[str]:
    for line in _read(PROC / "self" / "mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        if after.split(" ")[0] in ("cgroup", "cgroup2"):
            top = Path(before.split(" ")[4]) / instance.cgroup
            if top.is_dir():
                yield f"cgroup {top}"
                yield from (f"cgroup {path}" for path in top.rglob("*") if path.is_dir())


def _links(instance: Instance) -> Iterator[str]:
    for link in json.loads(_run("ip", "-json", "link", "show")):
        if link["ifname"].startswith(instance.link_prefixes):
            yield f"link {link['ifname']}"


def _tables(instance: Instance) -> Iterator[str]:
    # As text: nft 1.0.6 corrupts its memory when it writes a table with flags as JSON.
    for line in _run("nft", "list", "tables").splitlines():
        _, family, name = line.split()
        if name == instance.table or name.startswith(f"{instance.table}-"):
            yield f"nft table {family} {name}"


def _loop_devices(instance: Instance) -> Iterator[str]:
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        if instance.owns_path(_read(backing)):
            yield f"loop device {backing.parts[3]}: {_read(backing).strip()}"


def _sockets(instance: Instance) -> Iterator[str]:
    for line in _read(PROC / "net" / "unix").splitlines():
        if instance.owns_path(line):
            yield f"unix socket {line.split()[-1]}"


def _pids() -> Iterator[Path]:
    return (entry for entry in PROC.iterdir() if entry.name.isdigit())


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _read(path: Path) -> str:
    """The text of a kernel file; nothing where the process or the device went away meanwhile."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
