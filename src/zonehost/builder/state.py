"""A stage while it is built: its configuration, its layers, its history. Data, replaced whole at each step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from zonehost.domain.config import Config
from zonehost.domain.image_config import HistoryStep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonehost.domain.platform import Platform

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_SHELL: Final = ("/bin/sh", "-c")


@dataclass(frozen=True, slots=True)
class StageState:
    """What the next instruction of a stage starts from. `layers` are diff ids, lowest first.

    `arguments` are the ARGs declared so far in this stage, None where one has no value.
    """

    platform: Platform
    config: Config = field(default_factory=Config)
    layers: tuple[str, ...] = ()
    history: tuple[HistoryStep, ...] = ()
    author: str = ""
    arguments: Mapping[str, str | None] = field(default_factory=dict)
    command_set: bool = False
    """Whether this Dockerfile has set CMD in this stage; an ENTRYPOINT takes an inherited one away."""
    chain: str = ""
    """A digest of the base and of all steps so far, by their words and layers."""

    @property
    def environment(self) -> dict[str, str]:
        """The configuration's Env as a map."""
        return dict(variable.partition("=")[::2] for variable in self.config.env or ())

    @property
    def set_arguments(self) -> dict[str, str]:
        """The arguments that have a value."""
        return {name: value for name, value in self.arguments.items() if value is not None}

    @property
    def variables(self) -> dict[str, str]:
        """What the next instruction may use: arguments, and over them the environment."""
        return {"PATH": DEFAULT_PATH, **self.set_arguments, **self.environment}

    @property
    def shell(self) -> tuple[str, ...]:
        """The command before a shell form."""
        return self.config.shell or DEFAULT_SHELL

    @property
    def workdir(self) -> str:
        """The working directory, absolute."""
        return self.config.working_dir or "/"

    def with_history(self, created_by: str, created: str, *, layer: str = "", comment: str = "") -> StageState:
        """With one more step of history, and its layer if it made one."""
        step = HistoryStep(created=created, created_by=created_by, empty_layer=not layer, comment=comment)
        layers = (*self.layers, layer) if layer else self.layers
        return replace(self, history=(*self.history, step), layers=layers, chain=self.chain_after(created_by, layer))

    def chain_after(self, created_by: str, layer: str = "") -> str:
        """The digest after one more step."""
        return hashlib.sha256("\0".join((self.chain, created_by, layer)).encode()).hexdigest()
