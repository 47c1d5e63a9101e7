"""The messages of BuildKit that clients exchange with a daemon, as far as it reads or sends them.

Source: BuildKit v0.25, api/services/control/control.proto, frontend/gateway/pb/gateway.proto, session/*/*.proto,
solver/pb/ops.proto; fsutil, types/*.proto; google/rpc/status.proto. Numbers are those of the wire.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import field

from zonehost.api.buildkit.protobuf import Message

Attributes = dict[str, str]


class Timestamp(Message, frozen=True, kw_only=True):
    seconds: Annotated[int, 1] = 0
    nanos: Annotated[int, 2] = 0


class Any(Message, frozen=True, kw_only=True):
    """google.protobuf.Any; BuildKit puts JSON into it (util/grpcerrors)."""

    type_url: Annotated[str, 1] = ""
    value: Annotated[bytes, 2] = b""


class Status(Message, frozen=True, kw_only=True):
    """google.rpc.Status."""

    code: Annotated[int, 1] = 0
    message: Annotated[str, 2] = ""
    details: Annotated[tuple[Any, ...], 3] = ()


class Empty(Message, frozen=True, kw_only=True):
    """A request or an answer of which nothing is read or said."""


class BytesMessage(Message, frozen=True, kw_only=True):
    data: Annotated[bytes, 1] = b""


class Platform(Message, frozen=True, kw_only=True):
    architecture: Annotated[str, 1] = ""
    os: Annotated[str, 2] = ""
    variant: Annotated[str, 3] = ""


class BuildkitVersion(Message, frozen=True, kw_only=True):
    package: Annotated[str, 1] = ""
    version: Annotated[str, 2] = ""
    revision: Annotated[str, 3] = ""


class WorkerRecord(Message, frozen=True, kw_only=True):
    id: Annotated[str, 1] = ""
    labels: Annotated[Attributes, 2] = field(default_factory=dict)
    platforms: Annotated[tuple[Platform, ...], 3] = ()
    buildkit_version: Annotated[BuildkitVersion | None, 5] = None


class ListWorkersResponse(Message, frozen=True, kw_only=True):
    record: Annotated[tuple[WorkerRecord, ...], 1] = ()


class InfoResponse(Message, frozen=True, kw_only=True):
    buildkit_version: Annotated[BuildkitVersion | None, 1] = None


class UsageRecord(Message, frozen=True, kw_only=True):
    id: Annotated[str, 1] = ""
    in_use: Annotated[bool, 3] = False
    size: Annotated[int, 4] = 0
    created_at: Annotated[Timestamp | None, 6] = None
    last_used_at: Annotated[Timestamp | None, 7] = None
    description: Annotated[str, 9] = ""
    record_type: Annotated[str, 10] = ""
    shared: Annotated[bool, 11] = False


class DiskUsageRequest(Message, frozen=True, kw_only=True):
    filter: Annotated[tuple[str, ...], 1] = ()
    age_limit: Annotated[int, 2] = 0


class DiskUsageResponse(Message, frozen=True, kw_only=True):
    record: Annotated[tuple[UsageRecord, ...], 1] = ()


class PruneRequest(Message, frozen=True, kw_only=True):
    filter: Annotated[tuple[str, ...], 1] = ()
    all: Annotated[bool, 2] = False
    keep_duration: Annotated[int, 3] = 0
    reserved_space: Annotated[int, 4] = 0
    max_used_space: Annotated[int, 5] = 0
    min_free_space: Annotated[int, 6] = 0


class CacheEntry(Message, frozen=True, kw_only=True):
    type: Annotated[str, 1] = ""
    attrs: Annotated[Attributes, 2] = field(default_factory=dict)


class CacheOptions(Message, frozen=True, kw_only=True):
    exports: Annotated[tuple[CacheEntry, ...], 4] = ()
    imports: Annotated[tuple[CacheEntry, ...], 5] = ()


class Exporter(Message, frozen=True, kw_only=True):
    type: Annotated[str, 1] = ""
    attrs: Annotated[Attributes, 2] = field(default_factory=dict)


class Definition(Message, frozen=True, kw_only=True):
    """A build as operations (LLB). `definition` are operations in bytes, the last of them names the result."""

    definition: Annotated[tuple[bytes, ...], 1] = ()
    metadata: Annotated[dict[str, Empty], 2] = field(default_factory=dict)


class SolveRequest(Message, frozen=True, kw_only=True):
    ref: Annotated[str, 1] = ""
    definition: Annotated[Definition | None, 2] = None
    session: Annotated[str, 5] = ""
    frontend: Annotated[str, 6] = ""
    frontend_attrs: Annotated[Attributes, 7] = field(default_factory=dict)
    cache: Annotated[CacheOptions | None, 8] = None
    source_policy: Annotated[bytes, 12] = b""
    exporters: Annotated[tuple[Exporter, ...], 13] = ()


class SolveResponse(Message, frozen=True, kw_only=True):
    exporter_response: Annotated[Attributes, 1] = field(default_factory=dict)


class StatusRequest(Message, frozen=True, kw_only=True):
    ref: Annotated[str, 1] = ""


class Vertex(Message, frozen=True, kw_only=True):
    digest: Annotated[str, 1] = ""
    inputs: Annotated[tuple[str, ...], 2] = ()
    name: Annotated[str, 3] = ""
    cached: Annotated[bool, 4] = False
    started: Annotated[Timestamp | None, 5] = None
    completed: Annotated[Timestamp | None, 6] = None
    error: Annotated[str, 7] = ""


class VertexStatus(Message, frozen=True, kw_only=True):
    id: Annotated[str, 1] = ""
    vertex: Annotated[str, 2] = ""
    name: Annotated[str, 3] = ""
    current: Annotated[int, 4] = 0
    total: Annotated[int, 5] = 0
    timestamp: Annotated[Timestamp | None, 6] = None
    started: Annotated[Timestamp | None, 7] = None
    completed: Annotated[Timestamp | None, 8] = None


class VertexLog(Message, frozen=True, kw_only=True):
    vertex: Annotated[str, 1] = ""
    timestamp: Annotated[Timestamp | None, 2] = None
    stream: Annotated[int, 3] = 0
    msg: Annotated[bytes, 4] = b""


class VertexWarning(Message, frozen=True, kw_only=True):
    vertex: Annotated[str, 1] = ""
    level: Annotated[int, 2] = 0
    short: Annotated[bytes, 3] = b""


class StatusResponse(Message, frozen=True, kw_only=True):
    vertexes: Annotated[tuple[Vertex, ...], 1] = ()
    statuses: Annotated[tuple[VertexStatus, ...], 2] = ()
    logs: Annotated[tuple[VertexLog, ...], 3] = ()
    warnings: Annotated[tuple[VertexWarning, ...], 4] = ()


class Capability(Message, frozen=True, kw_only=True):
    id: Annotated[str, 1] = ""
    enabled: Annotated[bool, 2] = False


class PongResponse(Message, frozen=True, kw_only=True):
    frontend_capabilities: Annotated[tuple[Capability, ...], 1] = ()
    operation_capabilities: Annotated[tuple[Capability, ...], 2] = ()
    workers: Annotated[tuple[WorkerRecord, ...], 3] = ()


class Ref(Message, frozen=True, kw_only=True):
    id: Annotated[str, 1] = ""
    definition: Annotated[Definition | None, 2] = None


class Result(Message, frozen=True, kw_only=True):
    ref: Annotated[Ref | None, 3] = None


class GatewaySolveRequest(Message, frozen=True, kw_only=True):
    definition: Annotated[Definition | None, 1] = None
    frontend: Annotated[str, 2] = ""
    frontend_attrs: Annotated[Attributes, 3] = field(default_factory=dict)
    cache_imports: Annotated[tuple[CacheEntry, ...], 12] = ()
    frontend_inputs: Annotated[dict[str, Definition], 13] = field(default_factory=dict)


class GatewaySolveResponse(Message, frozen=True, kw_only=True):
    result: Annotated[Result | None, 3] = None


class ReturnRequest(Message, frozen=True, kw_only=True):
    result: Annotated[Result | None, 1] = None
    error: Annotated[Status | None, 2] = None


class Stat(Message, frozen=True, kw_only=True):
    """A file of a tree. `mode` is Go's (io/fs.FileMode), `mod_time` nanoseconds since the epoch."""

    path: Annotated[str, 1] = ""
    mode: Annotated[int, 2] = 0
    uid: Annotated[int, 3] = 0
    gid: Annotated[int, 4] = 0
    size: Annotated[int, 5] = 0
    mod_time: Annotated[int, 6] = 0
    linkname: Annotated[str, 7] = ""
    devmajor: Annotated[int, 8] = 0
    devminor: Annotated[int, 9] = 0
    xattrs: Annotated[dict[str, bytes], 10] = field(default_factory=dict)


class Packet(Message, frozen=True, kw_only=True):
    """One message of fsutil's protocol; see `fsutil`."""

    type: Annotated[int, 1] = 0
    stat: Annotated[Stat | None, 2] = None
    id: Annotated[int, 3] = 0
    data: Annotated[bytes, 4] = b""


class CredentialsRequest(Message, frozen=True, kw_only=True):
    host: Annotated[str, 1] = ""


class CredentialsResponse(Message, frozen=True, kw_only=True):
    username: Annotated[str, 1] = ""
    secret: Annotated[str, 2] = ""


class SecretRequest(Message, frozen=True, kw_only=True):
    id: Annotated[str, 1] = ""


class AgentRequest(Message, frozen=True, kw_only=True):
    id: Annotated[str, 1] = ""


class HealthResponse(Message, frozen=True, kw_only=True):
    """grpc.health.v1."""

    status: Annotated[int, 1] = 0


SERVING = HealthResponse(status=1)
