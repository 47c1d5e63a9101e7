"""/zonehost/v1/snapshots, /schedules and /clone: not Docker's, described in docs/openapi.yaml."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from aiohttp import web

from zonehost.api import answers
from zonehost.api.call import Call
from zonehost.api.routing import Route
from zonehost.domain.durations import parse_duration
from zonehost.engine.container.clone import clone
from zonehost.engine.dataset.listing import SnapshotDetail, detail, diff, list_snapshots, show
from zonehost.engine.dataset.reference import shown
from zonehost.engine.dataset.removal import remove
from zonehost.engine.dataset.rollback import rollback
from zonehost.engine.dataset.schedule import plan
from zonehost.engine.dataset.snapshot import SnapshotRequest, create
from zonehost.errors import InvalidParameter


class SnapshotCreate(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """The body of a call for a snapshot; `keep` is a duration such as 24h, empty for ever."""

    of: str
    name: str
    labels: dict[str, str] = {}
    pause: bool = False
    keep: str = ""


class ScheduleBody(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """The body of a call for a schedule; `every` is a duration such as 1h, and `0` ends it."""

    of: str
    every: str
    keep: int = 0


class CloneBody(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """The body of a call for a clone of `ZONE` or `ZONE@SNAPSHOT`."""

    source: str
    name: str


async def create_snapshot(call: Call) -> web.StreamResponse:
    body = await call.body(SnapshotCreate)
    request = SnapshotRequest(
        of=body.of, name=body.name, labels=body.labels, pause=body.pause, lifetime=_duration("Keep", body.keep)
    )
    return answers.document(_shape(detail(call.host, await create(call.host, request))), 201)


async def list_all(call: Call) -> web.StreamResponse:
    return answers.document([_shape(one) for one in list_snapshots(call.host, call.text("of"))])


async def show_one(call: Call) -> web.StreamResponse:
    return answers.document(_shape(show(call.host, call.name)))


async def compare(call: Call) -> web.StreamResponse:
    found = await diff(call.host, call.name, call.text("with"))
    return answers.document(
        [
            {"Volume": part.volume, "Changes": [{"Path": one.path, "Kind": one.kind} for one in part.changes]}
            for part in found
        ]
    )


async def roll_back(call: Call) -> web.StreamResponse:
    await rollback(call.host, call.name)
    return answers.empty()


async def remove_snapshot(call: Call) -> web.StreamResponse:
    await remove(call.host, call.name)
    return answers.empty()


async def put_schedule(call: Call) -> web.StreamResponse:
    body = await call.body(ScheduleBody)
    await plan(call.host, body.of, every=_duration("Every", body.every), keep=body.keep)
    return answers.empty()


async def list_schedules(call: Call) -> web.StreamResponse:
    return answers.document(
        [
            {
                "Of": shown(call.host, schedule.of),
                "EverySeconds": schedule.every / 1e9,
                "Keep": schedule.keep,
                "Next": _moment(schedule.next),
            }
            for schedule in call.host.snapshots.schedules
        ]
    )


async def make_clone(call: Call) -> web.StreamResponse:
    body = await call.body(CloneBody)
    made = await clone(call.host, body.source, body.name)
    return answers.document({"Id": made.id, "Name": made.name}, 201)


def _shape(one: SnapshotDetail) -> dict[str, Any]:
    snapshot = one.snapshot
    return {
        "Id": snapshot.id,
        "Name": snapshot.name,
        "Of": one.of,
        "Kind": snapshot.of.kind,
        "Volumes": [dataset.name for dataset in snapshot.datasets if dataset.kind == "volume"],
        "Created": _moment(snapshot.created),
        "Expires": _moment(snapshot.expires) if snapshot.expires else None,
        "Labels": snapshot.labels,
        "Scheduled": snapshot.scheduled,
        "UsedBy": one.users,
    }


def _moment(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).isoformat()


def _duration(field: str, text: str) -> int:
    found = parse_duration(text) if text else 0
    if found is None or found < 0:
        raise InvalidParameter(f'{field} "{text}" must be a duration, such as 24h')
    return found


ROUTES: Final = (
    Route("GET", "/zonehost/v1/snapshots", list_all),
    Route("POST", "/zonehost/v1/snapshots", create_snapshot, verb=True),
    Route("GET", "/zonehost/v1/schedules", list_schedules),
    Route("PUT", "/zonehost/v1/schedules", put_schedule, verb=True),
    Route("POST", "/zonehost/v1/clone", make_clone, verb=True),
    Route("GET", "/zonehost/v1/snapshots/{name}/diff", compare),
    Route("POST", "/zonehost/v1/snapshots/{name}/rollback", roll_back, verb=True),
    Route("GET", "/zonehost/v1/snapshots/{name}", show_one),
    Route("DELETE", "/zonehost/v1/snapshots/{name}", remove_snapshot, verb=True),
)
