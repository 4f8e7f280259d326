"""What came of a few events of each dataset, as lines."""

from __future__ import annotations

from rich import get_console
from rich.markup import escape

from ..config import RunConfig
from ..engine.trial import Trial, tried


def run(config: RunConfig) -> int:
    """Print what a configuration makes of the first events of each dataset.

    Returns
    -------
    int
        The exit status: 0 if every dataset could be processed, else 1.
    """
    console = get_console()
    trials = tried(config)
    for one in trials:
        for line in _lines(one):
            console.print(line, highlight=False, soft_wrap=True)
    console.print("Nothing has been written.", highlight=False)
    return 1 if any(one.error for one in trials) else 0


def _lines(one: Trial) -> list[str]:
    if one.error:
        return [f"[red]{escape(one.dataset)}: failed:[/red] {escape(one.error)}"]
    cutflow = " → ".join(f"{escape(step)} {entries}" for step, entries in one.cutflow)
    filled = ", ".join(f"{escape(name)} {weight:.6g}" for name, weight in one.filled)
    return [
        f"[green]{escape(one.dataset)}:[/green] {one.events} events of {escape(one.path)} in {one.seconds:.1f} s",
        f"  events: {cutflow}",
        f"  sums of weights: {filled}",
        *(f"  {escape(note)}" for note in one.notes),
    ]
