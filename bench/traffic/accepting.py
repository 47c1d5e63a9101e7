"""`python -m bench.traffic.accepting FIRST LAST PAUSE`: take connections on these TCP ports and end them, until killed.

With a PAUSE, in seconds, it looks only so often: nobody waits for each, and a sample holds no time to wake the server.
"""

from __future__ import annotations

import selectors
import socket
import sys
import time
from contextlib import suppress

BACKLOG = 4096


def main(first: int, last: int, pause: float) -> None:
    selector = selectors.DefaultSelector()
    for port in range(first, last + 1):
        server = socket.create_server(("0.0.0.0", port), backlog=BACKLOG)
        server.setblocking(False)
        selector.register(server, selectors.EVENT_READ, server)
    print("ready", flush=True)
    while True:
        if pause:
            time.sleep(pause)
        for key, _ in selector.select():
            with suppress(BlockingIOError):
                while True:
                    connection, _ = key.data.accept()
                    connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
