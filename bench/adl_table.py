"""The table of the ADL benchmark in ``bench/README.md``, made from the JSON of its runs.

python -m bench.adl_table          rewrites the part of README.md between its two marks
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
BEGIN, END = "<!-- adl: made by bench/adl_table.py -->\n", "<!-- end -->\n"


def section() -> str:
    """Return the part of the README that shows all runs, file by file."""
    parts = [_run(json.loads(path.read_text())) for path in sorted((FOLDER / "results").glob("adl-*.json"))]
    return BEGIN + "\n".join(parts) + END


def _run(result: dict[str, Any]) -> str:
    peers = list(result["geometric_mean"])
    machine, versions = result["machine"], result["versions"]
    lines = [
        f"`{result['file']}`: {result['events'] / 1e6:g} million events, {result['bytes'] / 1e9:.2f} GB, "
        f"{result['threads']} thread(s); {', '.join(f'{key}: {value}' for key, value in machine.items())}; "
        f"{', '.join(f'{name} {version}' for name, version in versions.items())}. CPU seconds, median (slowest) of "
        f"{len(next(iter(result['queries'].values()))['cpu_seconds'])} in turns.",
        "",
        "| query | gpuhiggs | million events/s | first use, wall | " + " | ".join(f"{n} | ratio" for n in peers) + " |",
        "|---" * (4 + 2 * len(peers)) + "|",
    ]
    for query, row in result["queries"].items():
        own = statistics.median(row["cpu_seconds"])
        cells = [query, _seconds(row["cpu_seconds"]), f"{result['events'] / own / 1e6:.1f}"]
        cells.append(f"{row['stages']['first_use']:.2f}")
        for name in peers:
            peer = row["peers"][name]
            cells += [_seconds(peer["cpu_seconds"]), f"{peer['cpu_ratio']:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    for name in peers:
        apart = max(row["peers"][name]["difference"] for row in result["queries"].values())
        mean, least = result["geometric_mean"][name], result["least"][name]
        lines.append(
            f"{name}: geometric mean {mean:.2f}, least {least:.2f}; {apart:.1e} of the entries in another bin.\n"
        )
    return "\n".join(lines)


def _seconds(times: list[float]) -> str:
    return f"{statistics.median(times):.3f} ({max(times):.3f})"


def main() -> None:
    """Rewrite the README."""
    path = FOLDER / "README.md"
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END, 1)
    path.write_text(before + section() + after, encoding="utf-8")


if __name__ == "__main__":
    main()
