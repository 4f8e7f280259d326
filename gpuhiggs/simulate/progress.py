"""Progress of a campaign: a bar on a terminal, a line a file otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich import get_console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from gpuhiggs.simulate.campaign import CampaignConfig, Step, plan


@contextmanager
def showing(config: CampaignConfig, folder: Path) -> Iterator[Callable[[Step, int], None]]:
    """Give the function that :func:`gpuhiggs.simulate.campaign.run` reports to."""
    console = get_console()
    samples, pools = plan(config, folder)
    before, total = {}, 0
    for step in (*samples, *pools):
        before[step.path] = total
        total += step.events
    columns = (TextColumn("simulating {task.fields[name]}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total, name="")

        def report(step: Step, done: int) -> None:
            bar.update(task, completed=before[step.path] + done, name=step.path.stem)
            if done == step.events and not console.is_terminal:
                console.print(f"{step.path}: {done} events", soft_wrap=True)

        yield report
