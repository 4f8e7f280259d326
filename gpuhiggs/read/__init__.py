"""Reading: from an event file to the flat columns of a kernel."""

from . import ranges
from .cache import ColumnCache
from .event_file import EventFile
from .idle import opened
from .request import BitMask, Request, Resolved
from .table import Volume

__all__ = ["BitMask", "ColumnCache", "EventFile", "Request", "Resolved", "Volume", "opened", "ranges"]
