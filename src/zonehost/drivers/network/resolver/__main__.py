"""`python -m zonehost.drivers.network.resolver FD`: serve orders from the listening socket of this descriptor."""

from __future__ import annotations

import socket
import sys

from zonehost.drivers.network.resolver.server import Server

control = socket.socket(fileno=int(sys.argv[1]))
control.listen()  # once more, so that its clients see who serves it (SO_PEERCRED, SO_PEERPIDFD)
Server(control).run()
