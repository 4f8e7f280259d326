"""Errors that several models raise."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError
from .measurements import Measurements


def unmeasured(inputs: Sequence[Measurements], what: str, *, model: str) -> InputError:
    """Return the error of a model that needs what the inputs do not measure."""
    return InputError(f"model {model} needs a measurement of {what}; {', '.join(i.name for i in inputs)} has none")
