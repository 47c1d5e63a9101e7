"""Which certificates a registry's host is trusted with, and who we are to it: Docker's `certs.d` folders.

In `certs.d/HOST[:PORT]/`, every `*.crt` is an authority; `NAME.cert` with `NAME.key` is our own certificate.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from zonehost.errors import InvalidParameter

if TYPE_CHECKING:
    from zonehost.drivers.registry.endpoints import Endpoint


def tls_context(endpoint: Endpoint, folders: tuple[str, ...]) -> ssl.SSLContext:
    """The TLS settings for an address.

    An authority that the administrator installed for the host is held to, even where the host is insecure otherwise.

    Raises:
        InvalidParameter: a file in the host's folder cannot be read as what its name says.
    """
    context = ssl.create_default_context()
    places = [Path(folder) / endpoint.host for folder in folders]
    authorities = [path for place in places for path in sorted(place.glob("*.crt"))]
    identities = [path for place in places for path in sorted(place.glob("*.cert"))]
    try:
        for path in authorities:
            context.load_verify_locations(path)
        for path in identities:
            context.load_cert_chain(path, path.with_suffix(".key"))
    except OSError as error:
        raise InvalidParameter(f"certificates of registry {endpoint.host}: {path}: {error}") from error
    if not endpoint.verify and not authorities:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
