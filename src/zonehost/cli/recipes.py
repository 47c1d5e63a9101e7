"""Base images from Debian's packages, as the archive of a root filesystem and the settings that go with it.

Owns what is in them; knows nothing of how an image is made of an archive.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import IO, Final

from zonehost.errors import InvalidParameter, SystemFailure, Unavailable
from zonehost.tar import block, entry, writer
from zonehost.tar.entry import Entry

Report = Callable[[str], None]
"""Takes a line on what is being done."""

_PATH: Final = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CHUNK: Final = 1 << 18
_SUITE: Final = re.compile(r"[a-z][a-z0-9-]*")
_PACKAGE: Final = re.compile(r"[a-z0-9][a-z0-9+.-]*(:[a-z0-9]+)?")
# What Debian's own slim images leave out too; the licences stay.
_LEFT_OUT: Final = ("/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/doc/*")
_KEPT: Final = ("/usr/share/doc/*/copyright", "/usr/share/locale/locale.alias")

_FOLDERS: Final = {
    "bin": 0o755,
    "dev": 0o755,
    "etc": 0o755,
    "home": 0o755,
    "proc": 0o555,
    "root": 0o700,
    "sys": 0o555,
    "tmp": 0o1777,
    "usr": 0o755,
    "usr/bin": 0o755,
    "var": 0o755,
    "var/www": 0o755,
}
_FILES: Final = {
    "etc/passwd": (
        "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
        "www-data:x:33:33:www-data:/var/www:/bin/false\noperator:x:37:37:Operator:/var:/bin/false\n"
        "nobody:x:65534:65534:nobody:/home:/bin/false\n"
    ),
    "etc/group": (
        "root:x:0:\ndaemon:x:1:\ntty:x:5:\ndisk:x:6:\nwheel:x:10:\nvideo:x:28:\naudio:x:29:\nwww-data:x:33:\n"
        "operator:x:37:\nstaff:x:50:\nusers:x:100:\nnogroup:x:65534:\n"
    ),
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}

BUSYBOX_CHANGES: Final = (_PATH, 'CMD ["sh"]')
DEBIAN_CHANGES: Final = (_PATH, 'CMD ["bash"]')


def busybox(report: Report) -> Iterator[bytes]:
    """A root filesystem of Debian's static busybox and one link an applet.

    Raises:
        Unavailable: busybox is not installed.
    """
    program = _program("busybox", "busybox-static")
    applets = _output(program, "--list").split()
    report(f"busybox with {len(applets)} applets")
    for name, mode in _FOLDERS.items():
        yield writer.header(Entry(name=name.encode(), kind=entry.DIRECTORY, mode=mode))
    yield from _file("bin/busybox", Path(program).read_bytes(), 0o755)
    for applet in sorted(set(applets) - {"busybox"}):
        yield writer.header(Entry(name=f"bin/{applet}".encode(), kind=entry.SYMLINK, mode=0o777, link=b"busybox"))
    yield writer.header(Entry(name=b"usr/bin/env", kind=entry.SYMLINK, mode=0o777, link=b"/bin/busybox"))
    for name, text in _FILES.items():
        yield from _file(name, text.encode(), 0o644)
    yield writer.END


def debian(suite: str, packages: Sequence[str], report: Report) -> Iterator[bytes]:
    """A root filesystem of a Debian suite with `packages`, made by mmdebstrap(1) from the host's archive settings.

    Raises:
        InvalidParameter: the suite or a package has a bad name. Unavailable: mmdebstrap is not installed.
        SystemFailure: it failed; holds its last lines.
    """
    if not _SUITE.fullmatch(suite):
        raise InvalidParameter(f'"{suite}" is no name of a Debian suite')
    for package in packages:
        if not _PACKAGE.fullmatch(package):
            raise InvalidParameter(f'"{package}" is no name of a Debian package')
    command = [_program("mmdebstrap", "mmdebstrap"), "--variant=minbase", "--mode=root", "--format=tar"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
    command += [f"--dpkgopt=path-include={pattern}" for pattern in _KEPT]
    # A zone has a /dev of its own.
    command += ['--aptopt=Acquire::Languages "none"', "--skip=output/dev"]
    command += [f"--include={','.join(packages)}"] if packages else []
    yield from _stream([*command, suite, "-"], report)


def _stream(command: Sequence[str], report: Report) -> Generator[bytes, None, None]:
    """The standard output of a command, while what it says on standard error is reported line by line."""
    told: deque[str] = deque(maxlen=8)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        listener = threading.Thread(target=_listen, args=(process.stderr, told, report))
        listener.start()
        try:
            while chunk := process.stdout.read(_CHUNK):
                yield chunk
        finally:
            # Where the reader went away, this ends a command that has more to say; else it has ended.
            process.stdout.close()
            listener.join()
    if process.returncode != 0:
        raise SystemFailure(f"{command[0]} ended with status {process.returncode}:\n" + "\n".join(told))


def _listen(messages: IO[bytes], told: deque[str], report: Report) -> None:
    for line in messages:
        text = line.decode(errors="replace").strip()
        told.append(text)
        report(text)


def _file(name: str, content: bytes, mode: int) -> Iterator[bytes]:
    yield writer.header(Entry(name=name.encode(), mode=mode, size=len(content)))
    yield content + bytes(block.padding(len(content)))


def _program(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise Unavailable(f"{name} is not installed: apt-get install {package}")
    return path


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
