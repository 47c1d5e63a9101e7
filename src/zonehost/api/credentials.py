"""The credentials that clients send for registries: JSON in base 64, with either alphabet, padded or not."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final, TypeVar

import msgspec

from zonehost.api.call import Call
from zonehost.errors import InvalidParameter
from zonehost.ports.registry import Login

T = TypeVar("T")

_LOGIN: Final = "X-Registry-Auth"
_LOGINS: Final = "X-Registry-Config"


def login_of(call: Call) -> Login | None:
    """The login for the registry that a request is about, None if there is none.

    Raises:
        InvalidParameter: it cannot be read.
    """
    login = _decode(call, _LOGIN, Login)
    return login if login is not None and login != Login(serveraddress=login.serveraddress) else None


def logins_of(call: Call) -> dict[str, Login]:
    """The logins that a build may use, by registry.

    Raises:
        InvalidParameter: they cannot be read.
    """
    return _decode(call, _LOGINS, dict[str, Login]) or {}


def _decode(call: Call, header: str, kind: type[T]) -> T | None:
    text = call.request.headers.get(header, "").replace("+", "-").replace("/", "_")
    if not text:
        return None
    try:
        data: Any = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return msgspec.json.decode(data, type=kind) if data.strip() not in (b"", b"null") else None
    except (binascii.Error, msgspec.MsgspecError) as error:
        raise InvalidParameter(f"invalid {header} header: {error}") from error
