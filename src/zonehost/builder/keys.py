"""Keys of the cache: digests of all that a step reads. Two steps of one key make the same layer, or the key is wrong.

A key holds the parent's content (its layers), not its configuration: what a command sees of the configuration is in
the step. So a LABEL above a RUN does not make it run again.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from zonehost.builder.steps import CopyStep, FolderStep, RunStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonehost.builder.steps import Settings
    from zonehost.domain.git_url import GitUrl
    from zonehost.domain.platform import Platform
    from zonehost.ports.git import GitHead

_DIGITS: Final = 40
_FORM: Final = 1
"""Counts changes of what keys hold, so that no key of an older version is taken for one of this."""


def run_key(
    step: RunStep,
    *,
    parent: Sequence[str],
    platform: Platform,
    settings: Settings,
    mounts: Sequence[str],
    epoch: int | None,
) -> str:
    """The key of a RUN; `mounts` are digests of what its bind mounts show, in order."""
    return _digest("run", parent, platform, epoch, [step, settings, list(mounts)])


def copy_key(
    step: CopyStep, *, parent: Sequence[str], platform: Platform, content: Sequence[str], epoch: int | None
) -> str:
    """The key of a COPY or ADD; `content` are digests of what it copies. Where from does not count."""
    read = [step.contents, step.destination, step.owner, step.mode, step.link, step.parents, step.unpack, step.name]
    return _digest("copy", () if step.link else parent, platform, epoch, [read, list(content)])


def repository_content(url: GitUrl, head: GitHead, exclude: Sequence[str]) -> str:
    """What a git repository is to a key: its commit. Where it is, only git's own folder tells."""
    told = [url.remote, head.ref] if url.keep_git_dir else []
    read = [head.commit, url.subdir.strip("/"), url.submodules, list(exclude), told]
    return f"git {hashlib.sha256(msgspec.json.encode(read)).hexdigest()}"


def folder_key(step: FolderStep, *, parent: Sequence[str], platform: Platform, epoch: int | None) -> str:
    """The key of a WORKDIR."""
    return _digest("folder", parent, platform, epoch, [step.path])


def change_key(chain: str, *, epoch: int | None) -> str:
    """The key of a step that changes the configuration alone: all that was done so far. It says when, and no more."""
    return hashlib.sha256(f"{_FORM} change {chain} {epoch}".encode()).hexdigest()[:_DIGITS]


def _digest(kind: str, parent: Sequence[str], platform: Platform, epoch: int | None, read: list[Any]) -> str:
    whole = [_FORM, kind, list(parent), str(platform), epoch, read]
    return hashlib.sha256(msgspec.json.encode(whole, order="sorted")).hexdigest()[:_DIGITS]
