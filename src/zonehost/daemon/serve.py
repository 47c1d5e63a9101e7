"""The life of the daemon: check, take hold, recover, serve, let go. Zones outlive it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from zonehost import __version__
from zonehost.api.application import Api
from zonehost.daemon.configuration import Configuration
from zonehost.daemon.instance import lock, make_roots
from zonehost.daemon.listeners import forget, listen, parse_address
from zonehost.daemon.notify import notify
from zonehost.daemon.requirements import check_requirements
from zonehost.daemon.tls import Tls
from zonehost.daemon.wiring import assemble
from zonehost.engine.recovery.recover import recover
from zonehost.linux.allocator import give_back, share_heap

_LARGE: Final = 512 << 10
"""Bytes of a block of memory that is given back once it is free: the interpreter's table of names, made anew every few
thousand zones, would else leave its gap in the heap for good."""
_GRACE: Final = 5.0
"""Seconds that calls which have begun get to end, once the daemon was told to stop."""

log = logging.getLogger(__name__)


async def serve(configuration: Configuration) -> None:
    """Run the daemon until SIGTERM or SIGINT.

    Raises:
        Unavailable: the machine cannot run zones. Conflict: another daemon has the roots or a socket.
        InvalidParameter: an address cannot be. SystemFailure: a part cannot be had.
    """
    logging.basicConfig(
        level=logging.DEBUG if configuration.debug else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("asyncio").setLevel(logging.INFO)
    tls = Tls(configuration.tlscacert, configuration.tlscert, configuration.tlskey) if configuration.tlskey else None
    addresses = [parse_address(text, tls=tls is not None) for text in configuration.hosts]
    check_requirements()
    give_back(_LARGE)
    share_heap()
    data_root, run_root = Path(configuration.data_root), Path(configuration.run_root)
    make_roots(data_root, run_root)
    async with AsyncExitStack() as undo:
        for descriptor in lock(data_root, run_root, configuration.name):
            undo.callback(os.close, descriptor)
        told = _told_to_end()
        host = await assemble(configuration, undo)
        await recover(host)
        api = Api(host)
        undo.push_async_callback(api.close, _GRACE)
        for address in addresses:
            servers = await listen(address, api.connection, tls=tls, insecure_tcp=configuration.insecure_tcp)
            undo.callback(forget, address)
            for server in servers:
                undo.callback(server.close)
            log.info("listening on %s", address)
        log.info("zonehost %s is ready, instance %s", __version__, configuration.name)
        notify("READY=1")
        await told.wait()
        notify("STOPPING=1")
        log.info("stopping; zones go on")


def _told_to_end() -> asyncio.Event:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told
