"""Repositories elsewhere, by the git command. What it may read of this host: its program, certificates and proxies."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

import msgspec

from zonehost.domain.git_url import GitUrl, is_commit
from zonehost.drivers.git.jobs import Command, Finishing, Outcome
from zonehost.errors import InvalidParameter, Unavailable
from zonehost.linux import jobs
from zonehost.linux.forkserver import ForkServer
from zonehost.ports.git import GitAccess, GitHead

_JOBS: Final = "zonehost.drivers.git.jobs"
_ASKING: Final = 60.0
"""Seconds for the list of a repository's refs."""
_FETCHING: Final = 1800.0
"""Seconds for one fetch."""
_SETTINGS: Final = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
    "init.defaultBranch=master",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
)
_PROTOCOLS: Final = "http:https:git:ssh"
"""Also for submodules: none leads to a file of this host."""
_SSH: Final = (
    "ssh -F none -o BatchMode=yes -o IdentityFile=none -o ConnectTimeout=30 -o StrictHostKeyChecking=accept-new"
    " -o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null -o LogLevel=ERROR"
)
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


class GitCommand:
    """Implements `ports.git`. `path` is where git and what it calls are looked for, as in PATH."""

    def __init__(self, forks: ForkServer, path: str = os.defpath) -> None:
        self._forks = forks
        self._path = path

    async def find(self, url: GitUrl, access: GitAccess) -> GitHead:
        """See `GitRemotes.find`."""
        if is_commit(url.ref):
            return GitHead(url.ref)
        wanted = (url.ref, f"{url.ref}^{{}}") if url.ref else ("HEAD",)
        told = await self._run(url, access, "ls-remote", "--quiet", "--", url.remote, *wanted, seconds=_ASKING)
        refs = {name: commit for commit, _, name in (line.partition("\t") for line in told.splitlines())}
        if not url.ref and "HEAD" in refs:
            return GitHead(refs["HEAD"])
        # As git-checkout(1): a branch goes before a tag of the same name. `^{}` is the commit that a tag object names.
        for name in (_full("", url.ref), _full("heads/", url.ref), _full("tags/", url.ref)) if url.ref else ():
            if name in refs:
                return GitHead(refs.get(f"{name}^{{}}", refs[name]), name)
        raise InvalidParameter(f"repository {url.remote} does not contain ref {url.ref or 'HEAD'}")

    async def check_out(self, url: GitUrl, head: GitHead, folder: str, access: GitAccess, *, keep: bool) -> str:
        """See `GitRemotes.check_out`."""
        kept = keep and not url.subdir.strip("/.")
        kind = "sha256" if len(head.commit) == 64 else "sha1"
        await self._run(url, access, "init", "--quiet", "--template=", f"--object-format={kind}", folder)

        async def git(*words: str) -> str:
            return await self._run(url, access, *words, folder=folder)

        await git("config", "remote.origin.url", url.remote)
        await git("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
        fetch = ("fetch", "--quiet", "--no-recurse-submodules", "--no-tags")
        try:
            await git(*fetch, "--depth=1", "--", "origin", head.commit)
        except Unavailable:
            # An old server gives no commit by its hash, a plain web server nothing without all that is before it.
            await git(*fetch, "--", "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
        if kept and head.ref.startswith("refs/tags/"):
            await git(*fetch, "--depth=1", "--", "origin", f"+{head.ref}:{head.ref}")
        try:
            await git("cat-file", "-e", f"{head.commit}^{{commit}}")
        except Unavailable as error:
            raise InvalidParameter(f"repository {url.remote} does not contain commit {head.commit}") from error
        await git("checkout", "--quiet", "--detach", head.commit, "--")
        if url.submodules and Path(folder, ".gitmodules").exists():
            await git("submodule", "--quiet", "update", "--init", "--recursive", "--depth=1")
        time = int(await git("show", "--no-patch", "--format=%ct", head.commit))
        finishing = Finishing(folder=folder, subdir=url.subdir, keep=kept, time=time)
        return str(await jobs.run(self._forks, f"{_JOBS}:finish", msgspec.to_builtins(finishing)))

    async def _run(
        self, url: GitUrl, access: GitAccess, *words: str, folder: str = "/", seconds: float = _FETCHING
    ) -> str:
        """What git says. Raises Unavailable with its complaint."""
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        command = Command(words=(*settings, *words), environment=_environment(self._path, access), folder=folder)
        try:
            async with asyncio.timeout(seconds):
                told = await jobs.run(self._forks, f"{_JOBS}:run", msgspec.to_builtins(command))
        except TimeoutError as error:
            raise Unavailable(
                f"git repository {url.remote}: git {words[0]} took longer than {seconds:.0f} s"
            ) from error
        outcome = msgspec.convert(told, Outcome)
        if outcome.code != 0:
            complaint = outcome.complaint.strip() or f"it ended with status {outcome.code}"
            raise Unavailable(f"git repository {url.remote}: git {words[0]}: {complaint}")
        return outcome.output


def _full(kind: str, ref: str) -> str:
    """The full name of a ref of a kind."""
    return f"refs/{kind}" + ref.removeprefix("refs/").removeprefix(kind)


def _environment(path: str, access: GitAccess) -> dict[str, str]:
    found = {
        "PATH": path,
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": access.config or "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
        "GIT_SSH_COMMAND": _SSH if access.agent else f"{_SSH} -o IdentityAgent=none",
    }
    if access.agent:
        found["SSH_AUTH_SOCK"] = access.agent
    found.update({name: os.environ[name] for one in _PROXIES for name in (one, one.lower()) if name in os.environ})
    return found
