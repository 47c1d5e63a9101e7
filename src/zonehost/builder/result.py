"""From the last state of a stage to an image's configuration, and back from a base image to a first state. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from zonehost.builder.state import DEFAULT_PATH, StageState
from zonehost.domain.config import Config
from zonehost.domain.image_config import ImageConfig, RootFs, write_image_config

if TYPE_CHECKING:
    from zonehost.domain.platform import Platform
    from zonehost.ports.workshop import Base


def first_state(base: Base | None, platform: Platform) -> tuple[StageState, tuple[str, ...]]:
    """The state that a stage starts from, and the triggers that its base image left for it; None is `scratch`."""
    if base is None:
        return StageState(platform, Config(env=(f"PATH={DEFAULT_PATH}",))), ()
    config = base.config.run
    if not config.env:
        config = msgspec.structs.replace(config, env=(f"PATH={DEFAULT_PATH}",))
    state = StageState(
        platform,
        msgspec.structs.replace(config, on_build=None),
        base.layers,
        base.config.history or (),
        base.config.author,
        chain=base.id,
    )
    return state, config.on_build or ()


def child_state(parent: StageState) -> tuple[StageState, tuple[str, ...]]:
    """The state that a stage on another stage starts from, without its arguments, and the triggers left for it."""
    config = msgspec.structs.replace(parent.config, on_build=None)
    return replace(parent, config=config, arguments={}, command_set=False), parent.config.on_build or ()


def image_config(state: StageState) -> bytes:
    """The configuration of the image that a state is; it is as old as its last step."""
    created = state.history[-1].created if state.history else None
    return write_image_config(
        ImageConfig(
            architecture=state.platform.architecture,
            os=state.platform.os,
            variant=state.platform.variant,
            created=created,
            author=state.author,
            config=state.config,
            rootfs=RootFs(diff_ids=state.layers),
            history=state.history,
        )
    )


def image_id(config: bytes) -> str:
    """The id of an image with this configuration."""
    return f"sha256:{hashlib.sha256(config).hexdigest()}"
