"""`docker volume rm`."""

from __future__ import annotations

import msgspec

from zonehost.domain.phase import Phase
from zonehost.domain.volume import Volume
from zonehost.engine.host import Host
from zonehost.engine.telling import tell_volume
from zonehost.engine.volume.create import discard
from zonehost.engine.volume.users import users_of
from zonehost.errors import Conflict, NotFound
from zonehost.ports.records import Put


async def remove(host: Host, name: str, *, force: bool = False) -> None:
    """Remove a volume; with `force`, one that is not there is no error.

    Raises:
        NotFound: there is none. Conflict: containers use it, or it is just being made or removed.
    """
    volume = host.volumes.get(name)
    if volume is None:
        if force:
            return
        raise NotFound(f"get {name}: no such volume")
    users = users_of(host, name)
    if users:
        raise Conflict(f"remove {name}: volume is in use - [{', '.join(users)}]")
    if volume.phase is Phase.MAKING:
        raise Conflict(f"remove {name}: volume is just being made")
    await remove_unused(host, volume)


async def remove_unused(host: Host, volume: Volume) -> None:
    """Remove a volume that nobody uses; from the first moment on, nobody can come to use it.

    Raises:
        Conflict: it is being removed already: a second removal could reach the next volume of that name.
    """
    with host.volumes.leaving(volume.name):
        removing = msgspec.structs.replace(volume, phase=Phase.REMOVING)
        host.volumes.put(removing)
        await host.records.commit(Put(removing))
        await discard(host, removing)
    tell_volume(host, "destroy", volume.name)
