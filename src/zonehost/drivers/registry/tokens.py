"""Credentials for a registry: from a challenge and a login to an Authorization header.

Source: Docker's "Token authentication specification" and "OAuth2 token authentication" for registries.
"""

from __future__ import annotations

import base64
import binascii
import time
from typing import TYPE_CHECKING

import aiohttp
import msgspec

from zonehost.drivers.registry.refusals import refusal
from zonehost.errors import InvalidParameter, Unauthorized, Unavailable

if TYPE_CHECKING:
    from ssl import SSLContext

    from zonehost.drivers.registry.challenge import Challenge
    from zonehost.ports.registry import Login

_CLIENT = "zonehost"
_DEFAULT_LIFE = 60
"""Seconds that a token lives when the server does not say (token authentication specification)."""
_MARGIN = 10
_LARGEST_ANSWER = 1 << 20


class _Token(msgspec.Struct, frozen=True):
    token: str = ""
    access_token: str = ""
    refresh_token: str = ""
    expires_in: int = _DEFAULT_LIFE


class Tokens:
    """Bearer tokens, kept while they live."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._kept: dict[tuple[object, ...], tuple[str, float]] = {}

    async def authorize(
        self,
        challenges: list[Challenge],
        scopes: tuple[str, ...],
        login: Login | None,
        tls: SSLContext | None,
    ) -> str | None:
        """The Authorization header that answers the challenges, or None where none can be answered.

        `tls` None says that the registry itself is spoken to in the clear; only then is a token server, too.
        """
        for challenge in challenges:
            if challenge.scheme == "bearer":
                return f"Bearer {await self._bearer(challenge, scopes, login, tls)}"
            if challenge.scheme == "basic" and login is not None and (pair := name_and_password(login)):
                return "Basic " + base64.b64encode(":".join(pair).encode()).decode()
        return None

    async def identity(self, challenges: list[Challenge], login: Login, tls: SSLContext | None) -> str:
        """An identity token instead of the password, where the registry gives one; else empty. Raises Unauthorized."""
        for challenge in challenges:
            if challenge.scheme == "bearer":
                found = await self._ask(challenge, (), login, tls, offline=True)
                return found.refresh_token
        return ""

    async def _bearer(
        self, challenge: Challenge, scopes: tuple[str, ...], login: Login | None, tls: SSLContext | None
    ) -> str:
        if login is not None and login.registrytoken:
            return login.registrytoken
        key = (tuple(sorted(challenge.parameters.items())), scopes, login)
        kept = self._kept.get(key)
        if kept is not None and kept[1] > time.monotonic():
            return kept[0]
        found = await self._ask(challenge, scopes, login, tls)
        token = found.token or found.access_token
        if not token:
            raise Unauthorized("authorization server did not include a token in the response")
        life = max(found.expires_in, _DEFAULT_LIFE) - _MARGIN
        self._kept = {old: value for old, value in self._kept.items() if value[1] > time.monotonic()}
        self._kept[key] = (token, time.monotonic() + life)
        return token

    async def _ask(
        self,
        challenge: Challenge,
        scopes: tuple[str, ...],
        login: Login | None,
        tls: SSLContext | None,
        *,
        offline: bool = False,
    ) -> _Token:
        realm = challenge.parameters.get("realm", "")
        if not realm.startswith("https://") and not (tls is None and realm.startswith("http://")):
            raise InvalidParameter(f"refusing the token server {realm!r}: it is not as safe as its registry")
        service = challenge.parameters.get("service", "")
        query = [("service", service)] * bool(service) + [("scope", scope) for scope in scopes]
        secure = tls if tls is not None else True
        try:
            if login is not None and login.identitytoken:
                form = {"grant_type": "refresh_token", "refresh_token": login.identitytoken}
                form |= {"service": service, "client_id": _CLIENT, "scope": " ".join(scopes)}
                request = self._session.post(realm, data=form, ssl=secure)
            else:
                headers = {}
                if login is not None and (pair := name_and_password(login)):
                    query.append(("account", pair[0]))
                    headers["Authorization"] = "Basic " + base64.b64encode(":".join(pair).encode()).decode()
                if offline:
                    query += [("offline_token", "true"), ("client_id", _CLIENT)]
                request = self._session.get(realm, params=query, headers=headers, ssl=secure)
            async with request as response:
                body = await response.content.read(_LARGEST_ANSWER)
                if response.status != 200:
                    raise refusal(response, body)
                return msgspec.json.decode(body, type=_Token)
        except msgspec.MsgspecError as error:
            raise Unavailable(f"the token server {realm} gave no token: {error}") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"the token server {realm} cannot be reached: {error}") from error


def name_and_password(login: Login) -> tuple[str, str] | None:
    """The name and password of a login, however it carries them. Raises InvalidParameter."""
    if login.username or login.password:
        return login.username, login.password
    if not login.auth:
        return None
    try:
        name, _, password = base64.b64decode(login.auth, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise InvalidParameter(f"invalid auth field of the registry credentials: {error}") from error
    return name, password
