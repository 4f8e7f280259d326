"""Write what the self-test needs of shipped selections: ``python -m bench.write_cases``, when one has changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench import in_memory
from bench.channels import CASES
from bench.variations import SETS, SHIFTS
from bench.variations import prepare as prepare_varied
from gpuhiggs.histogram import Accumulators
from gpuhiggs.kernels import four_lepton
from gpuhiggs.selftest import cases

ROOT = Path(__file__).resolve().parents[1]
PATH = Path(cases.__file__).parent / cases.FILE


def forms() -> list[dict[str, Any]]:
    """Return every case in its JSON form."""
    varied = prepare_varied({"shifts": SHIFTS, "sets": SETS, "histograms": list(four_lepton.HISTOGRAMS[:10])})
    prepared = {name: in_memory.prepare(case.selection) for name, case in CASES.items()}
    prepared["four_lepton_varied"] = varied
    return [
        cases.described(
            name,
            one.channel.program.module,
            (one.cuts.value, one.tables.value),
            Accumulators(one.specs).kernel,
            shifts=len(one.variations.names.shifts),
            branch_values=100 if one is varied else 0,
        )
        for name, one in prepared.items()
    ]


if __name__ == "__main__":
    PATH.write_text(json.dumps(forms(), indent=None) + "\n")
    print(f"{PATH}: {PATH.stat().st_size} bytes")
