"""Our fits beside what the experiments published of theirs: every number, its deviation, and which miss the goals.

    python -m bench.published [--json bench/results/published.json]

Goals: central values within 0.35 σ of the published ones, errors and limits within 15 %, p-values within 0.04, the
correlation of κ_V and κ_F within 0.20. The published numbers and their sources are in ``bench/published.yaml``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from gpuhiggs.interpret import Combination, combine, published
from gpuhiggs.interpret.models import VIEWS

ANSWERS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
GOALS = {"value": 0.35, "error": 0.15, "limit": 0.15, "p_sm": 0.04, "correlation of κ_V and κ_F": 0.20}


class Comparison(NamedTuple):
    """One published number beside ours.

    ``deviation`` is in published σ for a value, relative for an error or a limit, absolute for a p-value or a
    correlation; ``goal`` is None where none is set, and ``accepted`` says why a goal is missed.
    """

    name: str
    kind: str
    published: float
    ours: float
    deviation: float
    goal: float | None
    accepted: str | None = None

    @property
    def missed(self) -> bool:
        """Whether there is a goal and it is not reached."""
        return self.goal is not None and abs(self.deviation) > self.goal


def fit(answer: dict[str, Any]) -> Combination:
    """Make the fit that an answer was published of."""
    view = answer.get("view") or VIEWS.get(answer["model"], "strengths")
    return combine(answer["model"], [published(name, view) for name in answer["data"]])


def compare(answer: dict[str, Any]) -> list[Comparison]:
    """Return every number of an answer beside that of our fit."""
    found, accepted = fit(answer), answer.get("accepted", {})
    lines = []
    for name, (value, minus, plus) in answer.get("values", {}).items():
        ours, sigma = found.parameters[name], (minus + plus) / 2
        away = (ours.value - value) / sigma
        lines.append(Comparison(name, "value", value, ours.value, away, GOALS["value"], accepted.get(name)))
        error = ours.error / sigma - 1
        lines.append(Comparison(name, "error", sigma, ours.error, error, GOALS["error"], accepted.get(f"{name} error")))
    for name, limit in answer.get("limits", {}).items():
        upper = found.parameters[name].upper_95
        assert upper is not None
        reason = accepted.get(f"{name} limit")
        lines.append(Comparison(name, "limit", limit, upper, upper / limit - 1, GOALS["limit"], reason))
    if "p_sm" in answer:
        assert found.p_sm is not None
        away = found.p_sm - answer["p_sm"]
        lines.append(Comparison("p_sm", "p_sm", answer["p_sm"], found.p_sm, away, GOALS["p_sm"], accepted.get("p_sm")))
    return lines + _correlations(answer, found)


def _correlations(answer: dict[str, Any], found: Combination) -> list[Comparison]:
    lines = []
    table = answer.get("correlation", {"names": (), "rows": ()})
    for i, row in enumerate(table["rows"]):
        for j, value in enumerate(row[:i]):
            one, other = table["names"][j], table["names"][i]
            ours = float(found.correlation[found.free.index(one), found.free.index(other)])
            goal = GOALS["correlation of κ_V and κ_F"] if {one, other} == {"kappa_V", "kappa_F"} else None
            lines.append(Comparison(f"{one}, {other}", "correlation", value, ours, ours - value, goal))
    return lines


def summary(lines: list[Comparison]) -> dict[str, Any]:
    """Return the largest and the typical deviation of each kind."""
    found = {}
    for kind in ("value", "error", "limit", "p_sm", "correlation"):
        sizes = [abs(line.deviation) for line in lines if line.kind == kind]
        found[kind] = {"n": len(sizes), "rms": float(np.sqrt(np.mean(np.square(sizes)))), "largest": max(sizes)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    everything = {answer["name"]: compare(answer) for answer in ANSWERS}
    for name, lines in everything.items():
        print(name)
        for line in lines:
            mark = f"MISSED: {line.accepted or ''}" if line.missed else ""
            print(
                f"  {line.name:28} {line.kind:12} {line.published:9.4g} {line.ours:9.4g} {line.deviation:+7.3f} {mark}"
            )
    found = summary([line for lines in everything.values() for line in lines])
    print(json.dumps(found, indent=1))
    if arguments.json:
        form = {name: [line._asdict() for line in lines] for name, lines in everything.items()}
        arguments.json.write_text(json.dumps({"summary": found, "answers": form}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
