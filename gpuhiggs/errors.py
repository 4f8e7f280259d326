"""Every error that gpuhiggs raises on purpose.

::

    GpuhiggsError
    ├── InputError          what the user gave cannot be used: exit status 2
    │   ├── ConfigError     the configuration: an unknown key, a value out of range
    │   ├── DeviceError     no GPU that could be used, where one was asked for
    │   ├── FileError       an event file: missing, truncated, not ROOT
    │   └── SchemaError     a tree or branch that the channel needs is not in the file
    ├── RunError            the run could not finish: exit status 1
    │   └── DeviceLostError the GPU failed while it was at work
    └── MissingExtraError   a feature needs an optional package: exit status 2
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GpuhiggsError(Exception):
    """Base of all errors that a user can act on; its message is complete by itself."""

    exit_status = 1


class InputError(GpuhiggsError):
    """What the user gave cannot be used."""

    exit_status = 2


class ConfigError(InputError):
    """A key or value of the configuration is wrong; the message names its place and what is known."""


class FileError(InputError):
    """An event file is missing, truncated or not what it should be."""


class SchemaError(InputError):
    """A tree or branch that is needed is not in the file; the message says what was looked for."""


class RunError(GpuhiggsError):
    """A run could not be finished."""


class DeviceError(InputError):
    """There is no GPU that could be used, where one was asked for; the message says why, and what to do."""


class DeviceLostError(RunError):
    """The GPU failed while it was at work; the same work may go well elsewhere."""


class MissingExtraError(InputError):
    """A feature needs an optional package that is not installed."""

    def __init__(self, feature: str, package: str, extra: str) -> None:
        super().__init__(f"{feature} needs the package {package!r}: pip install 'gpuhiggs[{extra}]'")


def choices(name: object, known: Iterable[str]) -> str:
    """Return the end of a message about a name that is not among those known: which there are, and the likely one."""
    names = list(known)
    folded = {other.lower(): other for other in names}
    close = [other for other in names if other.startswith(f"{name}-")]
    close = close or [folded[near] for near in difflib.get_close_matches(str(name).lower(), folded, 1)]
    return f"known: {', '.join(names)}" + (f"; did you mean {close[0]!r}?" if close else "")
