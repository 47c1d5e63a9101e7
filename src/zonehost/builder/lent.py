"""What the client lends to one command: secrets as files, its ssh agent as a socket. Neither is in a key or a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from zonehost.builder.configure import absolute
from zonehost.domain.blueprint import BindMount
from zonehost.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AsyncExitStack

    from zonehost.builder.mounts import RunMount
    from zonehost.ports.build_client import BuildClient
    from zonehost.ports.build_files import BuildFiles

_SECRETS: Final = "/run/secrets"
_AGENTS: Final = "/run/buildkit"
_AGENT_ID: Final = "default"


@dataclass(frozen=True, slots=True)
class Lent:
    """Mounts and variables of one command; `covered` are directories that only stand for them."""

    binds: tuple[BindMount, ...] = ()
    env: tuple[str, ...] = ()
    covered: tuple[str, ...] = ()


class Lender:
    """Lends for one build."""

    def __init__(self, build: str, client: BuildClient, files: BuildFiles) -> None:
        self._build = build
        self._client = client
        self._files = files

    async def lend(self, mounts: Iterable[RunMount], workdir: str, stack: AsyncExitStack) -> Lent:
        """Ask the client for all of them; agents are lent until `stack` is closed.

        Raises:
            InvalidParameter: the client does not have what is required.
        """
        binds: list[BindMount] = []
        env: list[str] = []
        for number, mount in enumerate(mounts):
            lent = await (self._secret(mount, workdir) if mount.type == "secret" else self._agent(mount, number, stack))
            if lent is None and mount.required:
                raise InvalidParameter(f"{mount.type} {mount.id or mount.source or _AGENT_ID}: not found")
            if lent is not None:
                binds.append(lent)
                if mount.type == "ssh" and not env:
                    env.append(f"SSH_AUTH_SOCK={lent.destination}")
        covered = (_SECRETS, _AGENTS, "/run") if binds else ()
        return Lent(tuple(binds), tuple(env), covered)

    async def _secret(self, mount: RunMount, workdir: str) -> BindMount | None:
        name = mount.id or mount.source or mount.target.rpartition("/")[2]
        data = await self._client.secret(name)
        if data is None:
            return None
        target = absolute(mount.target, workdir) if mount.target else f"{_SECRETS}/{name.rpartition('/')[2]}"
        mode = 0o400 if mount.mode is None else mount.mode
        path = await self._files.conceal(self._build, data, mode, mount.uid or 0, mount.gid or 0)
        return BindMount(source=path, destination=target, readonly=True)

    async def _agent(self, mount: RunMount, number: int, stack: AsyncExitStack) -> BindMount | None:
        name = mount.id or _AGENT_ID
        if not await self._client.has_agent(name):
            return None
        path = await self._files.socket(self._build)
        await stack.enter_async_context(self._client.agent(name, path))
        mode = 0o600 if mount.mode is None else mount.mode
        await self._files.own(path, mode, mount.uid or 0, mount.gid or 0)
        return BindMount(source=path, destination=mount.target or f"{_AGENTS}/ssh_agent.{number}")
