"""What is said of a name that is not known: the known ones, the nearest first."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def known(name: str, names: Iterable[str]) -> str:
    """Return what follows a semicolon in the message about an unknown *name*."""
    names = list(names)
    folded = {one.lower(): one for one in names}
    near = difflib.get_close_matches(name.lower(), folded, n=2, cutoff=0.6)
    hint = f"did you mean {' or '.join(folded[one] for one in near)}? " if near else ""
    return f"{hint}known: {', '.join(names)}"
