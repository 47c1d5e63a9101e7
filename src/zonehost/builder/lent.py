"""What the client lends to one command: secrets as files or variables, its ssh agent as a socket.

None of it is in a key, a layer or a record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Variables whose values are secret."""
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
        secrets: list[str] = []
        for number, mount in enumerate(mounts):
            if mount.type == "secret":
                name = mount.id or mount.source or mount.target.rpartition("/")[2] or mount.env
                data = await self._client.secret(name)
                if data is None:
                    _excuse(mount, name)
                    continue
                if mount.env:
                    secrets.append(f"{mount.env}={_text(data, name)}")
                if mount.target or not mount.env:
                    binds.append(await self._file(mount, name, data, workdir))
            else:
                lent = await self._agent(mount, number, stack)
                if lent is None:
                    _excuse(mount, mount.id or _AGENT_ID)
                    continue
                binds.append(lent)
                if not env:
                    env.append(f"SSH_AUTH_SOCK={lent.destination}")
        covered = (_SECRETS, _AGENTS, "/run") if binds else ()
        return Lent(tuple(binds), tuple(env), tuple(secrets), covered)

    async def _file(self, mount: RunMount, name: str, data: bytes, workdir: str) -> BindMount:
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


def _excuse(mount: RunMount, name: str) -> None:
    """The client does not have it: an error only if it is required."""
    if mount.required:
        raise InvalidParameter(f"{mount.type} {name}: not found")


def _text(data: bytes, name: str) -> str:
    """A secret as the value of a variable, byte for byte."""
    if b"\0" in data:
        raise InvalidParameter(f"secret {name}: a variable cannot hold a NUL byte")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidParameter(f"secret {name}: a variable holds UTF-8 only") from error
