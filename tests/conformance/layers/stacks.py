"""Random stacks of layers, as archives of the kinds that builders write, and what umoci makes of them."""

from __future__ import annotations

import hashlib
import io
import json
import random
import subprocess
import tarfile
from pathlib import Path

_EPOCH = 1_600_000_000


class Stack:
    """Layers made one upon the other; each changes what those before it have left."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._files: dict[str, tarfile.TarInfo] = {}
        self._serial = 0

    def layer(self, changes: int = 12) -> bytes:
        """The archive of a further layer."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
            named: set[str] = set()
            for _ in range(changes):
                change = self._chance.choice(
                    (self._add, self._add, self._add, self._remove, self._replace, self._hollow)
                )
                change(archive, named)
        return out.getvalue()

    def _add(self, archive: tarfile.TarFile, named: set[str]) -> None:
        self._serial += 1
        path = f"{self._chance.choice([*self._folders(), ''])}/f{self._serial}".lstrip("/")
        self._write(archive, named, path)

    def _replace(self, archive: tarfile.TarFile, named: set[str]) -> None:
        candidates = [path for path in self._files if path not in named]
        if candidates:
            path = self._chance.choice(candidates)
            self._forget_below(path)
            if not any(other.startswith(f"{path}/") for other in named):
                self._write(archive, named, path)

    def _remove(self, archive: tarfile.TarFile, named: set[str]) -> None:
        candidates = [
            path for path in self._files if not any(other == path or other.startswith(f"{path}/") for other in named)
        ]
        if not candidates:
            return
        path = self._chance.choice(candidates)
        self._forget_below(path)
        holder, _, base = path.rpartition("/")
        self._name_folders(archive, named, holder)
        del self._files[path]
        named.add(path)
        archive.addfile(tarfile.TarInfo(f"{holder}/.wh.{base}".lstrip("/")))

    def _hollow(self, archive: tarfile.TarFile, named: set[str]) -> None:
        """Make a directory opaque, and sometimes put something into it."""
        candidates = [path for path in self._folders() if not any(other.startswith(f"{path}/") for other in named)]
        if not candidates:
            return
        path = self._chance.choice(candidates)
        self._name_folders(archive, named, path)
        self._forget_below(path)
        archive.addfile(tarfile.TarInfo(f"{path}/.wh..wh..opq"))
        if self._chance.random() < 0.5:
            self._serial += 1
            self._write(archive, named, f"{path}/f{self._serial}")

    def _write(self, archive: tarfile.TarFile, named: set[str], path: str) -> None:
        self._name_folders(archive, named, path.rpartition("/")[0])
        info = tarfile.TarInfo(path)
        kind = self._chance.choice(("file", "file", "folder", "folder", "link", "hard", "fifo", "device"))
        regular = [name for name, other in self._files.items() if other.type == tarfile.REGTYPE and name != path]
        content = b""
        if kind == "folder":
            info.type = tarfile.DIRTYPE
        elif kind == "link":
            info.type, info.linkname = tarfile.SYMTYPE, self._chance.choice(("/etc", "../x", "gone"))
        elif kind == "hard" and regular:
            info.type, info.linkname = tarfile.LNKTYPE, self._chance.choice(regular)
        elif kind == "fifo":
            info.type = tarfile.FIFOTYPE
        elif kind == "device":
            info.type, info.devmajor, info.devminor = tarfile.CHRTYPE, 1, self._chance.choice((3, 5, 7))
        else:
            content = self._chance.randbytes(self._chance.choice((0, 5, 512, 5000)))
        self._dress(info)
        info.size = len(content)
        if info.type == tarfile.LNKTYPE:
            target = self._files[info.linkname]
            info.mode, info.uid, info.gid, info.mtime = target.mode, target.uid, target.gid, target.mtime
        archive.addfile(info, io.BytesIO(content))
        self._files[path] = info
        named.add(path)

    def _name_folders(self, archive: tarfile.TarFile, named: set[str], path: str) -> None:
        parts = path.split("/") if path else []
        for count in range(1, len(parts) + 1):
            folder = "/".join(parts[:count])
            if folder not in named:
                named.add(folder)
                archive.addfile(self._files[folder])

    def _dress(self, info: tarfile.TarInfo) -> None:
        chance = self._chance
        info.mode = chance.choice((0o644, 0o755, 0o4755, 0o1777, 0o600))
        info.uid, info.gid = chance.choice((0, 33, 65534)), chance.choice((0, 5))
        info.mtime = _EPOCH + chance.randrange(10**6)
        if info.type in (tarfile.REGTYPE, tarfile.DIRTYPE) and chance.random() < 0.3:
            info.pax_headers = {"SCHILY.xattr.user.note": f"n{chance.randrange(100)}"}

    def _folders(self) -> list[str]:
        return [path for path, info in self._files.items() if info.type == tarfile.DIRTYPE]

    def _forget_below(self, path: str) -> None:
        for other in [other for other in self._files if other.startswith(f"{path}/")]:
            del self._files[other]


def umoci_unpack(layers: list[bytes], folder: Path) -> Path:
    """The root file system that umoci makes of the layers."""
    layout = folder / "layout"
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(data: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{media_type}", "digest": f"sha256:{digest}", "size": len(data)}

    diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}, "config": {}}
    manifest = {
        "schemaVersion": 2,
        "config": blob(json.dumps(config).encode(), "config.v1+json"),
        "layers": [blob(layer, "layer.v1.tar") for layer in layers],
    }
    described = blob(json.dumps(manifest).encode(), "manifest.v1+json")
    described["annotations"] = {"org.opencontainers.image.ref.name": "it"}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    subprocess.run(["umoci", "unpack", "--image", f"{layout}:it", folder / "bundle"], check=True, capture_output=True)
    return folder / "bundle" / "rootfs"


def folders(scratch: Path) -> list[Path]:
    """What a pool at `scratch/layers` holds of layers."""
    return [folder for folder in (scratch / "layers").iterdir() if folder.name != "foundation"]
