"""What the fork server runs for this driver: one git command, and what is done with a tree when git is done with it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any, Final

import msgspec

from zonehost.errors import InvalidParameter, Unsupported
from zonehost.linux import libc, namespaces
from zonehost.linux.answering import answering
from zonehost.linux.openat import path_below

GIT_DIR: Final = ".git"
_TOLD: Final = 4000
"""Characters of a complaint that are passed on."""
_DROPPED: Final = ("logs", "FETCH_HEAD", "ORIG_HEAD")
"""Of git's own folder: what only tells how the tree came here."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """One run of git, with this environment and no other."""

    words: tuple[str, ...]
    environment: dict[str, str]
    folder: str = "/"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended."""

    code: int
    output: str
    complaint: str


@answering
def run(arguments: Any, fds: list[int]) -> Any:
    """Run git as the first process of a pid namespace: its helpers end with it, and it ends with this job."""
    wanted = msgspec.convert(arguments, Command)
    if shutil.which("git", path=wanted.environment["PATH"]) is None:
        raise Unsupported("git is not installed on this host, and without it no git repository can be read")
    namespaces.unshare(namespaces.NEWPID)
    done = subprocess.run(
        ["git", *wanted.words],
        cwd=wanted.folder,
        env=wanted.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        preexec_fn=_end_with_job,
        umask=0o022,
        check=False,
    )
    output, complaint = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
    return msgspec.to_builtins(Outcome(code=done.returncode, output=output, complaint=complaint[-_TOLD:]))


def _end_with_job() -> None:
    libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)


class Finishing(msgspec.Struct, frozen=True, kw_only=True):
    """A tree that git has checked out; `time` is seconds since the epoch."""

    folder: str
    subdir: str
    keep: bool
    time: int


@answering
def finish(arguments: Any, fds: list[int]) -> str:
    """Take what is git's own out of a tree, give all of it one time, and find the subdirectory in it."""
    wanted = msgspec.convert(arguments, Finishing)
    found = _below(wanted.folder, wanted.subdir)
    for path, folders, files in os.walk(wanted.folder, topdown=False):
        here = Path(path)
        if GIT_DIR in folders and not wanted.keep:
            shutil.rmtree(here / GIT_DIR)
            folders.remove(GIT_DIR)
        elif GIT_DIR in folders:
            _forget_origin(here / GIT_DIR)
        if GIT_DIR in files and not wanted.keep:  # a submodule's, which leads into the folder above
            (here / GIT_DIR).unlink()
            files.remove(GIT_DIR)
        links = [name for name in folders if (here / name).is_symlink()]
        for name in (*files, *links, "."):
            os.utime(here / name, (wanted.time, wanted.time), follow_symlinks=False)
    return found


def _forget_origin(git: Path) -> None:
    for name in _DROPPED:
        if (git / name).is_dir():
            shutil.rmtree(git / name)
        else:
            (git / name).unlink(missing_ok=True)


def _below(folder: str, subdir: str) -> str:
    """The directory that a path leads to, links in the tree followed, none out of it."""
    try:
        return path_below(folder, os.fsencode(subdir.strip("/")), os.O_PATH | os.O_DIRECTORY)
    except OSError as error:
        raise InvalidParameter(f"the repository has no directory {subdir}: {error.strerror}") from error
