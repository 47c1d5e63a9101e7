"""Files of containers: `docker cp` both ways, and export."""

from __future__ import annotations

import base64
from typing import Final

from aiohttp import web

from zonehost.api import answers
from zonehost.api.call import Call
from zonehost.api.delivery import deliver_bytes
from zonehost.api.routing import Route
from zonehost.api.shape.times import rfc3339
from zonehost.engine.container.archive import read_archive, stat_path, write_archive
from zonehost.engine.container.export import export
from zonehost.ports.files import PathStat

_STAT_HEADER: Final = "X-Docker-Container-Path-Stat"


async def stat_file(call: Call) -> web.StreamResponse:
    answer = answers.empty(200)
    answer.headers[_STAT_HEADER] = _stat(await stat_path(call.host, call.name, call.text("path")))
    return answer


async def read_files(call: Call) -> web.StreamResponse:
    found, archive = await read_archive(call.host, call.name, call.text("path"))
    return await deliver_bytes(call.request, answers.TAR, archive, {_STAT_HEADER: _stat(found)})


async def write_files(call: Call) -> web.StreamResponse:
    await write_archive(
        call.host,
        call.name,
        call.text("path"),
        call.upload(),
        no_overwrite_dir_non_dir=call.flag("noOverwriteDirNonDir"),
        copy_uid_gid=call.flag("copyUIDGID"),
    )
    return answers.empty(200)


async def export_files(call: Call) -> web.StreamResponse:
    return await deliver_bytes(call.request, "application/octet-stream", await export(call.host, call.name))


def _stat(found: PathStat) -> str:
    answer = {
        "name": found.name,
        "size": found.size,
        "mode": found.mode,
        "mtime": rfc3339(found.mtime),
        "linkTarget": found.link_target,
    }
    return base64.b64encode(answers.encode(answer)).decode()


ROUTES: Final = (
    Route("HEAD", "/containers/{name}/archive", stat_file),
    Route("GET", "/containers/{name}/archive", read_files),
    Route("PUT", "/containers/{name}/archive", write_files, verb=True),
    Route("GET", "/containers/{name}/export", export_files),
)
