"""`zonehost doctor` while no daemon runs: the same parts, put together for one look."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec

from zonehost.daemon.configuration import Configuration
from zonehost.daemon.instance import lock
from zonehost.daemon.wiring import assemble
from zonehost.engine.doctor.examine import examine
from zonehost.engine.recovery.load import load_records
from zonehost.engine.recovery.recover import recover
from zonehost.errors import Unavailable


async def examine_without_daemon(configuration: Configuration, *, repair: bool) -> list[dict[str, Any]]:
    """The findings; with `repair`, those that are left after a recovery as at the daemon's start.

    Raises:
        Unavailable: there is no such instance. Conflict: its daemon runs after all.
    """
    data_root, run_root = Path(configuration.data_root), Path(configuration.run_root)
    if not (data_root / "state.db").exists():
        raise Unavailable(f"there is no instance in {data_root}, and no daemon answers")
    run_root.mkdir(parents=True, exist_ok=True, mode=0o711)
    async with AsyncExitStack() as undo:
        for descriptor in lock(data_root, run_root, configuration.name):
            undo.callback(os.close, descriptor)
        host = await assemble(configuration, undo)
        if repair:
            await recover(host, start_again=False)
        else:
            load_records(host)
        findings: list[dict[str, Any]] = msgspec.to_builtins(await examine(host))
        return findings
