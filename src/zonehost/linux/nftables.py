"""nftables through libnftables(3), in process: a text of commands is one transaction, all of it or nothing.

Knows nothing of what the rules mean. A commit takes milliseconds and blocks: it belongs in a worker thread.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
from types import TracebackType
from typing import Final

_LIBRARY: Final = "libnftables.so.1"
_OUTPUT_JSON, _OUTPUT_NUMERIC = 1 << 4, 0x7E0


class NftablesError(Exception):
    """The kernel or the library refused the commands; the message is theirs, and nothing was changed."""


class Nftables:
    """A libnftables context: one netlink socket in the network namespace of the calling thread.

    Not for two threads at once. Contexts of one process share symbol tables that the end of any of them frees: have one
    a process, or do not free one before the last is done with.
    """

    def __init__(self) -> None:
        library = load_library()
        self._library = library
        self._context = ctypes.c_void_p(library.nft_ctx_new(0))
        if not self._context.value:
            raise NftablesError(f"libnftables gives no context: {os.strerror(ctypes.get_errno())}")
        library.nft_ctx_buffer_output(self._context)
        library.nft_ctx_buffer_error(self._context)

    def close(self) -> None:
        """Free the context and its socket. Idempotent."""
        if self._context.value:
            self._library.nft_ctx_free(self._context)
            self._context = ctypes.c_void_p(None)

    def __enter__(self) -> Nftables:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, commands: str, *, json: bool = False) -> str:
        """Run commands in nft's own language as one transaction; what they print, as JSON if so asked.

        Raises:
            NftablesError: any of them was refused.
        """
        self._library.nft_ctx_output_set_flags(self._context, _OUTPUT_JSON if json else _OUTPUT_NUMERIC)
        status = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
        output: bytes = self._library.nft_ctx_get_output_buffer(self._context) or b""
        complaint: bytes = self._library.nft_ctx_get_error_buffer(self._context) or b""
        if status != 0:
            raise NftablesError(complaint.decode(errors="replace").strip())
        return output.decode()


def load_library() -> ctypes.CDLL:
    """The library, with the types of what is used of it.

    Raises:
        NftablesError: it is not installed.
    """
    try:
        library = ctypes.CDLL(_LIBRARY, use_errno=True)
    except OSError as error:
        raise NftablesError(f"{_LIBRARY} cannot be loaded ({error}); install libnftables1") from error
    context = ctypes.c_void_p
    library.nft_ctx_new.restype = context
    library.nft_ctx_new.argtypes = [ctypes.c_uint32]
    library.nft_ctx_free.argtypes = [context]
    library.nft_ctx_buffer_output.argtypes = [context]
    library.nft_ctx_buffer_error.argtypes = [context]
    library.nft_ctx_output_set_flags.argtypes = [context, ctypes.c_uint]
    library.nft_ctx_get_output_buffer.restype = ctypes.c_char_p
    library.nft_ctx_get_output_buffer.argtypes = [context]
    library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    library.nft_ctx_get_error_buffer.argtypes = [context]
    library.nft_run_cmd_from_buffer.argtypes = [context, ctypes.c_char_p]
    return library


def version() -> tuple[int, ...]:
    """The version of the nft command, which comes with the library; (0,) if there is none."""
    try:
        printed = subprocess.run(["nft", "--version"], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return (0,)
    found = re.search(r"v(\d+(?:\.\d+)+)", printed)
    return tuple(map(int, found[1].split("."))) if found else (0,)
