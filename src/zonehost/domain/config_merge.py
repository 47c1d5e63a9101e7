"""A container's configuration on top of its image's, and what runs in the end, as Docker merges them."""

from __future__ import annotations

import posixpath
import re

import msgspec

from zonehost.domain.config import Config, Healthcheck
from zonehost.errors import InvalidParameter


def merge_config(asked: Config, image: Config) -> Config:
    """What a container gets: what is asked, and from the image what is not."""
    entrypoint, cmd = asked.entrypoint, asked.cmd
    if not entrypoint:
        # An entrypoint that is asked for replaces the image's command too; [""] asks for none.
        if not cmd:
            cmd = image.cmd
        if entrypoint is None:
            entrypoint = image.entrypoint
    if entrypoint == ("",):
        entrypoint = None
    return msgspec.structs.replace(
        asked,
        user=asked.user or image.user,
        exposed_ports={**(image.exposed_ports or {}), **(asked.exposed_ports or {})} or None,
        env=_merge_env(asked.env, image.env),
        labels={**(image.labels or {}), **(asked.labels or {})},
        cmd=cmd,
        entrypoint=entrypoint,
        healthcheck=_merge_health(asked.healthcheck, image.healthcheck),
        working_dir=_plain(asked.working_dir or image.working_dir),
        volumes={**(image.volumes or {}), **(asked.volumes or {})} or None,
        stop_signal=asked.stop_signal or image.stop_signal,
        on_build=asked.on_build,
        shell=asked.shell or image.shell,
    )


def command_line(config: Config) -> tuple[str, tuple[str, ...]]:
    """The program and its arguments.

    Raises:
        InvalidParameter: neither entrypoint nor command is there.
    """
    words = (*(config.entrypoint or ()), *(config.cmd or ()))
    if not words:
        raise InvalidParameter("no command specified")
    return words[0], words[1:]


def _plain(path: str) -> str:
    """A path as Go's filepath.Clean leaves it; no path stays none."""
    return re.sub("^/+", "/", posixpath.normpath(path)) if path else ""


def _merge_env(asked: tuple[str, ...] | None, image: tuple[str, ...] | None) -> tuple[str, ...]:
    names = {variable.partition("=")[0] for variable in asked or ()}
    inherited = (variable for variable in image or () if variable.partition("=")[0] not in names)
    return (*(asked or ()), *inherited)


def _merge_health(asked: Healthcheck | None, image: Healthcheck | None) -> Healthcheck | None:
    if asked is None or image is None:
        return asked or image
    return Healthcheck(
        test=asked.test or image.test,
        interval=asked.interval or image.interval,
        timeout=asked.timeout or image.timeout,
        start_period=asked.start_period or image.start_period,
        start_interval=asked.start_interval or image.start_interval,
        retries=asked.retries or image.retries,
    )
