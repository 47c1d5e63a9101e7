"""`docker login`, as far as the daemon has part in it: asking the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from zonehost.engine.host import Host
from zonehost.ports.registry import Login

DEFAULT_REGISTRY: Final = "https://index.docker.io/v1/"


@dataclass(frozen=True, slots=True)
class Authenticated:
    """What the client shows, and the token that it keeps instead of the password, if the registry gave one."""

    status: str
    identity_token: str


async def authenticate(
    host: Host, *, username: str, password: str, server: str, identity_token: str = ""
) -> Authenticated:
    """Whether the registry takes the credentials.

    Raises:
        Unauthorized: it does not. Unavailable: it cannot be reached.
    """
    login = Login(
        username=username,
        password=password,
        serveraddress=server or DEFAULT_REGISTRY,
        identitytoken=identity_token,
    )
    return Authenticated("Login Succeeded", await host.registries.check_login(login))
