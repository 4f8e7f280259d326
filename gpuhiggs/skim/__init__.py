"""Skims: the selected events with what was reconstructed of them, as Parquet and ROOT files, one a dataset.

Every row says which event it is (run, luminosity section, event number, and where it stood), so that a skim can be
joined with anything else, and what it weighs. A worker adds these columns; the client puts what an item gives on the
disk at once (:mod:`.pieces`) and at the end writes the files from there (:mod:`.files`), in the order of the
configuration's files and of their events: the content does not depend on chunks, workers or their order.
"""

from __future__ import annotations

from .collect import keeping, leaving_out
from .files import require, write
from .pieces import Pieces

__all__ = ["Pieces", "keeping", "leaving_out", "require", "write"]
