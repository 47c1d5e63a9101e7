"""A network and a mount namespace for engines that would otherwise change the host's firewall and mounts."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.engines.run_folder import run_top

CONGESTION = "reno"
"""The congestion control of TCP that every kernel has. The default of some, bbr, sends by a timer and its estimate of
the rate: a stream then says how good the estimate was, and not what the engine's network carries."""


class Isolation:
    """A process that holds the namespaces, and a folder for the engine's files."""

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"zhb-{name}-", dir="/var/tmp"))
        self.run_folder = Path(tempfile.mkdtemp(prefix=f"zhb-{name}-", dir=run_top()))
        # crun refuses a hybrid cgroup tree; in these mounts, which no other process sees, the v2 one can be taken away.
        script = (
            "umount -q /sys/fs/cgroup/unified; ip link set lo up"
            f" && echo {CONGESTION} >/proc/sys/net/ipv4/tcp_congestion_control && echo ready && exec cat"
        )
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._holder.stdout is not None
        self._holder.stdout.readline()

    @property
    def netns(self) -> Path:
        return Path(f"/proc/{self._holder.pid}/ns/net")

    def argv(self, *command: str) -> list[str]:
        """The command that runs `command` in the namespaces."""
        return ["nsenter", "--target", str(self._holder.pid), "--net", "--mount", "--", *command]

    def close(self) -> None:
        """End the namespaces, and remove the folders and the cgroups that are named after them."""
        self._holder.communicate()
        for folder in (self.folder, self.run_folder):
            shutil.rmtree(folder, ignore_errors=True)
        for top in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()):
            cgroup = top / self.folder.name
            if cgroup.is_dir():
                for path in sorted((path for path in cgroup.rglob("*") if path.is_dir()), reverse=True):
                    path.rmdir()
                cgroup.rmdir()
