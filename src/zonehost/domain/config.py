"""What a container shares with its image: Docker's `Config`, declared once, in Docker's JSON names.

A field that the client left out is None (or the zero value where Docker has no null), so that what is asked can be
told from what is defaulted.
"""

from __future__ import annotations

from typing import Any

import msgspec

from zonehost.domain.naming import docker_name


class Healthcheck(msgspec.Struct, frozen=True, kw_only=True, rename=docker_name, omit_defaults=True):
    """How to tell that a zone works. Times are in nanoseconds; zero inherits."""

    test: tuple[str, ...] | None = None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class Config(msgspec.Struct, frozen=True, kw_only=True, rename=docker_name):
    """Docker's container configuration that does not depend on the host."""

    hostname: str = ""
    domainname: str = ""
    user: str = ""
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    exposed_ports: dict[str, dict[str, Any]] | None = None
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    env: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    healthcheck: Healthcheck | None = None
    args_escaped: bool = False
    image: str = ""
    volumes: dict[str, dict[str, Any]] | None = None
    working_dir: str = ""
    entrypoint: tuple[str, ...] | None = None
    network_disabled: bool = False
    mac_address: str = ""
    on_build: tuple[str, ...] | None = None
    labels: dict[str, str] | None = None
    stop_signal: str = ""
    stop_timeout: int | None = None
    shell: tuple[str, ...] | None = None
