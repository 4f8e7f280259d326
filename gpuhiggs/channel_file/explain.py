"""What the compiler says of a user's file, in one line with the place: ``dimuon.py:31: …``.

The compiler names a place and then the calls that led there; the first that lies in the user's files is meant.
"""

from __future__ import annotations

import linecache
import re
from pathlib import Path

from numba.core.errors import NumbaError

from . import ChannelFile

_PLACE = re.compile(r'File "([^"]+)", line (\d+)')
_REASONS = (
    (re.compile(r"Unknown attribute '(\w+)' of type (.*)"), r"\2 has no \1"),
    (
        re.compile(r"Cannot unify (.+?) and (.+?) for '([\w.]+?)(?:\.\d+)?'"),
        r"`\3` is \1 in one place and \2 in another: a variable keeps one type",
    ),
    (re.compile(r"missing a required argument: '(\w+)'"), r"the argument `\1` is missing"),
    (re.compile(r"too many positional arguments"), r"too many arguments"),
    (re.compile(r"No implementation of function (.+?) found for signature:\s*>>> \w+\((.*)\)"), r"\1 does not take \2"),
    (re.compile(r"Untyped global name '(\w+)'.*"), r"`\1` cannot be used in a function of one event"),
    (re.compile(r"Invalid use of (.+?) with parameters \((.*)\)"), r"\1 does not take \2"),
)  # fmt: skip
_TYPES = (
    (re.compile(r"Record\([\w.]*?(\w+)(?:, \d+)?\)"), r"the collection \1"),
    (re.compile(r"Column\((\w+), \w+\)"), "a column"),
    (re.compile(r"Function\(<(?:built-in )?function (\w+)[^>]*>\)"), r"`\1`"),
    (re.compile(r"type\(CPUDispatcher\(<function (\w+) at 0x\w+>\)\)"), r"`\1`"),
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
)


def explained(error: NumbaError, file: ChannelFile) -> str:
    """Return the innermost place in a user's file and the reason."""
    text = str(error)
    for pattern, replacement in _TYPES:
        text = pattern.sub(replacement, text)
    places = _places(error, text, file)
    reason = _reason(text)
    if not places:
        return f"{file.path}: cannot be compiled: {reason}"
    name, line = places[0]
    linecache.checkcache(name)
    return f"{name}:{line}: {reason}\n    {linecache.getline(name, line).strip()}"


def _places(error: NumbaError, text: str, file: ChannelFile) -> list[tuple[str, int]]:
    """List the lines of the user's files that a message names."""
    found = [(name, int(line)) for name, line in _PLACE.findall(text)]
    location = getattr(error, "loc", None)
    if location is not None and location.line:
        found.append((location.filename, int(location.line)))
    folder = file.path.parent
    absolute = [(str((Path.cwd() / name).resolve()), line) for name, line in found]
    return [(name, line) for name, line in absolute if Path(name).is_relative_to(folder) and Path(name).is_file()]


def _reason(text: str) -> str:
    for pattern, form in _REASONS:
        found = pattern.search(text)
        if found:
            reason = " ".join(found.expand(form).split())
            return f"{reason} (a column needs an index: pt[i])" if "a column" in reason else reason
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith(("Failed in", "File"))), lines[0] if lines else "?")
