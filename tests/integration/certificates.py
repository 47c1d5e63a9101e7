"""Keys and certificates for daemons and clients that speak TLS."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def certificate(folder: Path, name: str, authority: str | None) -> str:
    """A key and a certificate for 127.0.0.1, signed by `authority` or by itself; its name."""
    key, signed_key = folder / f"{name}.key", folder / f"{name}.pem"
    signed = ("-CA", f"{folder}/{authority}.pem", "-CAkey", f"{folder}/{authority}.key") if authority else ()
    kind = "CA:FALSE" if authority else "critical,CA:TRUE"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", f"/CN={name}", "-addext", f"basicConstraints={kind}"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(signed_key), *signed),
        ],
        check=True,
        capture_output=True,
        env=dict(os.environ),
    )
    return name
