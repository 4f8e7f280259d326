"""What all importers share: errors that name the file, names of inputs and outputs, thresholds of ``<=``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from gpuhiggs.errors import InputError

LARGEST = 1.7976931348623157e308


@contextmanager
def parsed(path: Path, format: str) -> Iterator[None]:
    """Turn whatever goes wrong in reading a foreign model into an InputError that names the file."""
    try:
        yield
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise InputError(msg) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        msg = f"{path}: {place}: {first['msg']}"
        raise InputError(msg) from error
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        msg = f"{path}: not {format}: {type(error).__name__}: {error}"
        raise InputError(msg) from error


def named(names: Sequence[str] | None, prefix: str, n: int, path: Path | str) -> tuple[str, ...]:
    """Return the *names*, of which *n* are expected, or as many with a prefix."""
    if names is None:
        return tuple(f"{prefix}{i}" for i in range(n))
    if len(names) != n:
        msg = f"{path}: {len(names)} names ({', '.join(names)}) for the model's {n}"
        raise InputError(msg)
    return tuple(names)


def above(threshold: float) -> float:
    """Return what ``x <= threshold`` compares with ``<``: the next number, and for ∞ the largest."""
    return min(math.nextafter(threshold, math.inf), LARGEST)
