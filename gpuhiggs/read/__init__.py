"""Reading: from an event file to the flat columns of a kernel."""

from .event_file import EventFile
from .idle import opened
from .request import BitMask, Request, Resolved

__all__ = ["BitMask", "EventFile", "Request", "Resolved", "opened"]
