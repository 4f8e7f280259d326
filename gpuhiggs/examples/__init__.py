"""Configurations, channels and corrections to start from: copy one and change it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from gpuhiggs.errors import InputError

_HERE = Path(__file__).parent


def titles() -> dict[str, str]:
    """Return the examples' names, and the first words of each, which say what it is."""
    found = {}
    for path in sorted([*_HERE.glob("*.yaml"), *_HERE.glob("*.py"), *_HERE.glob("*.json")]):
        if path.suffix == ".json":
            found[path.name] = str(json.loads(path.read_text(encoding="utf-8"))["description"]).partition(":")[0]
        elif path.name != "__init__.py":
            found[path.name] = re.split(
                r"[.:](?:\s|\W*$)", path.read_text(encoding="utf-8").splitlines()[0].strip('#" ')
            )[0]
    return found


def copy(name: str, folder: Path) -> Path:
    """Put an example into *folder*; return its path.

    Raises
    ------
    InputError
        If there is no such example, or a file of its name is there already.
    """
    known = titles()
    if name not in known:
        msg = f"no example {name!r}; there are {', '.join(known)}"
        raise InputError(msg)
    target = folder / name
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write((_HERE / name).read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{target}: cannot be written: {error.strerror}"
        raise InputError(msg) from error
    return target
