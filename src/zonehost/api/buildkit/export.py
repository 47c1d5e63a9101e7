"""What becomes of a result: an image of this host, or a tree or archive for the client. Other exporters are refused.

Source: Docker's builder/builder-next/exporter, BuildKit v0.25, exporter/local and exporter/tar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from zonehost.api.buildkit.messages import Exporter
from zonehost.api.buildkit.progress import Progress
from zonehost.api.buildkit.session import Session
from zonehost.domain.reference import parse_reference
from zonehost.errors import InvalidParameter, Unsupported
from zonehost.ports.builder import Built

_IMAGE: Final = ("moby", "image")
_ATTRIBUTES: Final = {
    "moby": ("name", "push", "load", "unpack", "prefer-image-digest"),
    "image": ("name", "push", "load", "unpack", "prefer-image-digest"),
    "local": ("dest",),
    "tar": ("dest",),
}
"""A push is the client's own request to `/images/{name}/push`; where files go, the client knows."""


@dataclass(frozen=True, slots=True)
class Export:
    """One exporter; `number` is how the client calls it, `names` are an image's."""

    number: int
    type: str
    names: tuple[str, ...]

    async def make(self, built: Built, client: Session, progress: Progress) -> dict[str, str]:
        """Do it; what the client is told of the result."""
        if self.type in _IMAGE:
            return await self._image(built, progress)
        with progress.internal("exporting to client directory" if self.type == "local" else "exporting to tarball"):
            if self.type == "local":
                await client.take_tree(self.number, built.tree())
            else:
                await client.take_file(self.number, built.tree())
        return {}

    async def _image(self, built: Built, progress: Progress) -> dict[str, str]:
        names = [parse_reference(name).tagged() for name in self.names]
        with progress.internal("exporting to image") as shown:
            await built.publish([name.familiar for name in names])
            shown.transfer("exporting layers", done=True)
            shown.transfer(f"writing image {built.id}", done=True)
            for name in names:
                shown.transfer(f"naming to {name.canonical}", done=True)
        response = {"containerimage.config.digest": built.id, "containerimage.digest": built.id}
        if names:
            response["image.name"] = ",".join(name.canonical for name in names)
        return response


def read_export(number: int, exporter: Exporter) -> Export:
    """An exporter as the client wants it.

    Raises:
        Unsupported: there is no such exporter here, or it has no such attribute. InvalidParameter: a name is none.
    """
    known = _ATTRIBUTES.get(exporter.type)
    if known is None:
        raise Unsupported(f"the exporter {exporter.type} is not supported")
    for attribute in exporter.attrs:
        if attribute not in known:
            raise Unsupported(f"the attribute {attribute} of the exporter {exporter.type} is not supported")
    names = tuple(filter(None, exporter.attrs.get("name", "").split(",")))
    if any(parse_reference(name).digest for name in names):
        raise InvalidParameter("build tag cannot contain a digest")
    return Export(number, exporter.type, names)
