"""Known mistakes of public analyses and files, each with the right behaviour here.

Others are tested where they belong: the truncated Z mass and the last pairing in ``tests/kernels/test_four_lepton.py``
and ``test_four_lepton_atlas.py``, primary-dataset overlap and the bits of the pile-up identification in
``test_selections.py``, signs of weights in ``test_atlas.py``, both formats of NanoAOD and its counters in
``tests/read``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import generate_pairs, in_memory
from gpuhiggs import config, engine, normalisation
from gpuhiggs.config import RunConfig
from gpuhiggs.engine import preparation
from gpuhiggs.kernels import launch
from gpuhiggs.kernels.four_vector import P4
from gpuhiggs.kernels.transverse_mass import transverse_mass, transverse_mass_with_mass


def changed(prepared: preparation.Prepared, group: str, **values: Any) -> preparation.Prepared:
    """Return a channel with some cuts changed."""
    cuts: Any = prepared.cuts.value
    cuts = cuts._replace(**{group: getattr(cuts, group)._replace(**values)})
    return prepared._replace(cuts=launch.record(type(cuts), cuts))


# --- jets need not be ordered --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selection", "make"),
    [
        ("cms-hgg-run2-ul", generate_pairs.photon_pairs),
        ("cms-hww-run2-ul", generate_pairs.lepton_pairs),
    ],
)
def test_jets_in_any_order(selection: str, make: Callable[..., Any]) -> None:
    """A shifted energy scale changes the order of jets; so the hardest are looked for, not taken from the front."""
    inputs = make(4000, 0.8, seed=2)
    prepared = in_memory.prepare(selection)
    rng = np.random.default_rng(0)
    offsets = inputs.jets.offsets
    order = np.concatenate([
        first + rng.permutation(last - first) for first, last in itertools.pairwise(offsets)
    ]).astype(int)  # fmt: skip
    shuffled = type(inputs.jets)(offsets, *(values[order] for values in inputs.jets[1:]))
    found = in_memory.process(prepared, inputs), in_memory.process(prepared, inputs._replace(jets=shuffled))
    assert np.any(found[0].selected["m_jj"] > 0)
    for name, values in found[0].selected.items():
        np.testing.assert_allclose(found[1].selected[name], values, rtol=1e-12)


# --- transverse mass -----------------------------------------------------------------------------------------------


def test_two_definitions_of_the_transverse_mass() -> None:
    """For a light pair they agree; for a heavy one the massless one is smaller."""
    met = P4(-40.0, 0.0, 0.0, 40.0)
    light, heavy = P4(50.0, 0.0, 0.0, 50.0), P4(50.0, 0.0, 0.0, math.hypot(50.0, 80.0))
    assert transverse_mass(light, met) == pytest.approx(2 * math.sqrt(50 * 40))
    assert transverse_mass_with_mass(light, met) == pytest.approx(transverse_mass(light, met))
    assert transverse_mass(heavy, met) == transverse_mass(light, met)
    energy = math.hypot(50.0, 80.0)
    assert transverse_mass_with_mass(heavy, met) == pytest.approx(math.sqrt((energy + 40) ** 2 - 10**2))


def test_selections_say_which_transverse_mass_they_use() -> None:
    found = {
        name: config.shipped_selection(name)["cuts"]["event"]["m_t_with_mass"]
        for name in config.shipped_selections()
        if name.startswith("cms-hww")
    }
    assert found.pop("cms-hww-open-data-2016") == 1
    assert set(found.values()) == {0}


# --- ATLAS ---------------------------------------------------------------------------------------------------------


def test_gap_between_barrel_and_endcaps() -> None:
    """The notebook of 2025 asks for |η| < 1.52 or |η| > 1.37, which every photon fulfils."""
    inputs = generate_pairs.photon_pairs_atlas(3000, 0.8, seed=4)
    everywhere = in_memory.process(in_memory.prepare("atlas-hgg-open-data-2025"), inputs)
    gap = np.full_like(inputs.photons.eta, 1.45)
    inside = inputs._replace(photons=inputs.photons._replace(eta=gap))
    nowhere = in_memory.process(in_memory.prepare("atlas-hgg-open-data-2025"), inside)
    assert everywhere.entries("two_photons") > 100
    assert nowhere.entries("two_photons") == 0


def test_impact_parameter_significance() -> None:
    """Stored as σ(d0) or as d0/σ(d0), the same leptons are selected, once the selection says which it is."""
    inputs = generate_pairs.lepton_pairs_atlas(4000, 0.8, seed=6)
    as_sigma = in_memory.prepare("atlas-hww-open-data-2020")
    as_significance = changed(as_sigma, "lepton", d0_significance_stored=1)
    leptons = inputs.leptons
    ratio = (leptons.d0.astype(np.float64) / leptons.sigma_d0).astype(np.float32)
    stored = inputs._replace(leptons=leptons._replace(sigma_d0=ratio))
    expected = in_memory.process(as_sigma, inputs)
    assert expected.entries("two_leptons") > 100
    assert in_memory.process(as_significance, stored).integers("cutflow") == expected.integers("cutflow")
    assert in_memory.process(as_sigma, stored).integers("cutflow") != expected.integers("cutflow")


# --- photons of NanoAOD v9 -----------------------------------------------------------------------------------------


def diphotons(path: Path, which: int, triggers: dict[str, list[str]] | None = None) -> Any:
    """Run the diphoton selection with one of the trigger's classes, without the trigger or with it."""
    selection = config.shipped_selection("cms-hgg-2017-ul") | {"triggers": triggers or {}, "filters": []}
    selection["absent"] = ["muons", "jets", "met"]
    selection["cuts"]["photon"]["trigger_class"] = which
    dataset = {"name": "tth", "process": "tth", "kind": "data", "files": [str(path)]}
    dataset |= {"primary_dataset": next(iter(triggers))} if triggers else {}
    raw = {"selection": selection, "datasets": [dataset], "lumi_mask": None}
    return engine.run(config.validate(RunConfig, raw, "test"))


@pytest.mark.parametrize(("which", "n"), [(0, 509), (1, 474), (2, 475)])
def test_trigger_classes(shared: Path, which: int, n: int) -> None:
    """This file was made with the isolations that central NanoAOD lacks: their approximation costs an event of 475.

    The counts were made independently with Awkward, from the file's own branches.
    """
    path = shared / "data/cms/ttH_HToGG_M125_2017_photons_electrons_1000ev.root"
    assert diphotons(path, which).selected["tth", str(path)]["m_gg"].size == n


def test_the_trigger_itself_stands_for_its_classes(shared: Path) -> None:
    """Where simulation has the trigger's bits, as here, none of the classes selects another event."""
    path = shared / "data/cms/ttH_HToGG_M125_2017_100ev.root"
    triggers = config.shipped_selection("cms-hgg-2017-ul")["triggers"]
    masses = [diphotons(path, which, triggers).selected["tth", str(path)]["m_gg"].tolist() for which in range(3)]
    assert masses[0] == masses[1] == masses[2]
    assert len(masses[0]) == 42


def test_trigger_class_without_its_variables(shared: Path) -> None:
    """Central NanoAOD before v11 has no isolation by particle-flow photons: a selection that needs it says so."""
    failures = diphotons(shared / "data/cms/DY_2018_40ev.root", 2).failures
    assert "no branch Photon_pfPhoIso03 or Photon_photonIso in tree 'Events'" in failures[0].error


# --- normalisation -------------------------------------------------------------------------------------------------


def test_each_sample_of_a_process_has_its_own_cross_section(
    tmp_path: Path, four_muon_events: Any, four_muon_config: Any, write_nanoaod: Any
) -> None:
    """Nine gg→WW samples of 0.06387 pb each make nine times that, not one; negative weights count as such."""
    weights = np.where(np.arange(40) % 10 == 0, -1.0, 1.0).astype(np.float32)
    datasets = []
    for i in range(9):
        events = four_muon_events(40, seed=i) | {"genWeight": weights}
        path = write_nanoaod(tmp_path / f"{i}.root", events, runs={"genEventSumw": [weights.sum()]})
        datasets.append({
            "name": f"ggWW_{i}", "process": "ggWW", "kind": "simulation", "files": [str(path)], "cross_section": 0.06387
        })  # fmt: skip
    run = four_muon_config(*datasets, luminosity=16.39)
    tally = engine.run(run)
    total: Any = normalisation.histograms(run, tally)["m4l"]["ggWW"].sum(flow=True)
    share = weights[np.arange(40) % 4 != 3].sum() / weights.sum()
    assert total.value == pytest.approx(9 * 0.06387 * 16390 * share, rel=1e-6)
