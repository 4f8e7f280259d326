"""gpuhiggs: LHC event files in, Higgs couplings out, with the same bits on every device.

``gpuhiggs.run("dimuon.py", "data.root")`` runs a channel over files and gives its histograms;
``gpuhiggs.open("dimuon.py", "data.root")`` keeps the columns in memory, to run it again with other cuts and binnings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .interactive import Result as Result
    from .interactive import run as run
    from .session import Session as Session
    from .session import open as open

    __version__: str
else:

    def __getattr__(name: str) -> Any:
        """Look up what is public when it is asked for: ``import gpuhiggs`` costs nothing."""
        if name == "__version__":
            from importlib.metadata import version

            return version(__name__)
        if name in ("run", "Result"):
            from . import interactive

            return getattr(interactive, name)
        if name in ("open", "Session"):
            from . import session

            return getattr(session, name)
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
