"""Where kernels run: on the CPU, or on a GPU through CuPy. All contact with CuPy is in this package.

:func:`open_device` gives a :class:`Device` by the name that a configuration has for it; a :class:`Call` on it gives the
same integers whichever it is.
"""

from __future__ import annotations

from .call import Call, DeviceArray, bytes_of
from .choice import DEVICES, Device, gpus, open_device, problem
from .cpu import Cpu
from .versions import versions

__all__ = [
    "DEVICES",
    "Call",
    "Cpu",
    "Device",
    "DeviceArray",
    "bytes_of",
    "gpus",
    "open_device",
    "problem",
    "versions",
]
