"""What one chunk in flight has for itself: a stream, and pinned memory for what goes over and comes back."""

from __future__ import annotations

import numpy as np

from .card import Card, Stream


class Slot:
    """A stream with pinned memory, used by one chunk at a time."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self.stream: Stream = card.stream()
        self._staging = np.empty(0, np.uint8)

    def staging(self, nbytes: int) -> np.ndarray:
        """Return at least so many bytes of pinned memory: the same as before, if they are enough."""
        if self._staging.nbytes < nbytes:
            self._staging = np.empty(0, np.uint8)
            self._staging = self._card.pinned(nbytes + nbytes // 4)
        return self._staging
