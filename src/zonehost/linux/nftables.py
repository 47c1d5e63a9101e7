"""nftables by its own command: a text of commands is one transaction, all of it or nothing (nft(8)).

A process for each: in ours, libnftables 1.0.6 of Debian 12 crashed when it replaced tables like ours (segmentation
faults, "Memory allocation failure"), and the daemon with it; the command did not. What changes often goes by
`netlink_sets`, in process. Knows nothing of what the rules mean. A commit takes some 8 ms and blocks: it belongs in a
worker thread.
"""

from __future__ import annotations

import re
import subprocess
from typing import Final

_COMMAND: Final = "nft"


class NftablesError(Exception):
    """The kernel or the command refused; the message is theirs, and nothing was changed."""


def run(commands: str) -> None:
    """Run commands in nft's own language as one transaction, in the network namespace of the calling thread.

    Raises:
        NftablesError: any of them was refused, or there is no nft.
    """
    _checked([_COMMAND, "--file", "-"], commands)


def list_table(family: str, name: str) -> str:
    """A table of that network namespace, as JSON (libnftables-json(5)).

    Raises:
        NftablesError: there is no such table, or no nft.
    """
    return _checked([_COMMAND, "--json", "list", "table", family, name], "")


def version() -> tuple[int, ...]:
    """The version of the command.

    Raises:
        NftablesError: there is none.
    """
    found = re.search(r"v(\d+(?:\.\d+)+)", _process([_COMMAND, "--version"], "").stdout)
    if found is None:
        raise NftablesError("nft does not tell its version")
    return tuple(map(int, found[1].split(".")))


class Held:
    """Commands whose objects belong to a process that lives as long as this: nft's `flags owner`."""

    def __init__(self, commands: str) -> None:
        """Raises: NftablesError: there is no nft."""
        self._process = subprocess.Popen(
            [_COMMAND, "--interactive"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(commands.split("\n")) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """Let go: the objects are gone."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _checked(words: list[str], commands: str) -> str:
    done = _process(words, commands)
    if done.returncode:
        raise NftablesError(done.stderr.strip() or f"nft ended with status {done.returncode}")
    return done.stdout


def _process(words: list[str], commands: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(words, input=commands, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NftablesError("the command nft is missing; install nftables") from error
