"""Tells the service manager how far the daemon is, by the protocol of sd_notify(3)."""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger(__name__)


def notify(state: str) -> None:
    """Send `state` ("READY=1", "STOPPING=1", "STATUS=…") to the socket in NOTIFY_SOCKET; nothing where there is none.

    A manager that has gone is no reason to end: that is logged.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # A name that begins with @ is in the abstract namespace (unix(7)).
    place = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(state.encode(), place)
    except OSError as error:
        log.warning("cannot notify %s: %s", address, error.strerror)
