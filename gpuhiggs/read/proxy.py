"""The grid proxy: whether the certificate that opens remote files is still valid.

An expired proxy fails file by file, each after several attempts, and on workers whose logs nobody sees; so it is looked
at beforehand. Where ``X509_USER_PROXY`` is not set, nothing is: a site may well open its files without.
"""

from __future__ import annotations

import logging
import os
import ssl
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from ..errors import InputError

_log = logging.getLogger(__name__)

VARIABLE = "X509_USER_PROXY"
SHORT = 3600.0
"""A proxy that ends within so many seconds is warned of."""
_SECONDS = 10.0
"""How long a program that reads a certificate may take."""
_REMEDY = "voms-proxy-init makes a new one; unset it where the files need none"


def check(paths: Iterable[str]) -> str | None:
    """Return a warning if the proxy ends soon; None if it does not, or none is needed or known.

    Raises
    ------
    InputError
        If some of *paths* are remote, and the proxy is missing, no certificate, or expired.
    """
    place = os.environ.get(VARIABLE)
    if not place or not any(path.startswith(("root://", "xroot://", "roots://", "https://")) for path in paths):
        return None
    if not os.access(place, os.R_OK):
        msg = f"{VARIABLE}={place}: there is no file that can be read; {_REMEDY}"
        raise InputError(msg)
    end = _end(Path(place))
    if end is None:
        return None
    left = end - time.time()
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(end))
    if left <= 0.0:
        msg = f"{VARIABLE}={place}: the grid proxy expired at {when}; {_REMEDY}"
        raise InputError(msg)
    return f"the grid proxy {place} expires in {left / 60:.0f} minutes, at {when}" if left < SHORT else None


def _end(path: Path) -> float | None:
    """Return when the first certificate of a file, the proxy's own, ends; None if no program here can tell."""
    found = _said(["openssl", "x509", "-noout", "-enddate", "-in", str(path)])
    if found is not None:
        status, text = found
        if status != 0 or not text.startswith("notAfter="):
            msg = f"{VARIABLE}={path}: holds no certificate; {_REMEDY}"
            raise InputError(msg)
        return float(ssl.cert_time_to_seconds(text.removeprefix("notAfter=").strip()))
    found = _said(["voms-proxy-info", "-file", str(path), "-timeleft"])
    if found is not None and found[1].strip().lstrip("-").isdigit():
        return time.time() + int(found[1])
    _log.debug("%s: neither openssl nor voms-proxy-info says when it ends", path)
    return None


def _said(command: list[str]) -> tuple[int, str] | None:
    """Return a program's exit status and output; None if it is not there or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.returncode, done.stdout
