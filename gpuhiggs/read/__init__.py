"""Reading: from an event file to the flat columns of a kernel."""

from .cache import ColumnCache
from .event_file import EventFile
from .idle import opened
from .request import BitMask, Request, Resolved

__all__ = ["BitMask", "ColumnCache", "EventFile", "Request", "Resolved", "opened"]
