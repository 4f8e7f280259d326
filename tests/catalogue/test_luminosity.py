"""The luminosity of what was processed: brilcalc's table, the certified sections, the sections of the files."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuhiggs import engine, normalisation
from gpuhiggs.catalogue import lumi_mask, luminosity
from gpuhiggs.config import RunConfig
from gpuhiggs.errors import ConfigError
from gpuhiggs.kernels.gate import LumiMask

HEADER = "#Data tag : test\n#run:fill,ls,time,beamstatus,E(GeV),delivered(/pb),recorded(/pb),avgpu,source\n"
PAIRS = st.tuples(st.integers(1, 5), st.integers(1, 40))


def row(run: int, section: int, recorded: float) -> str:
    return f"{run}:5839,{section}:{section},06/16/17 20:55:44,STABLE BEAMS,6500,0.16,{recorded},40.3,HFET\n"


def table(folder: Path, *rows: tuple[int, int, float], header: str = HEADER) -> str:
    path = folder / "byls.csv"
    path.write_text(header + "".join(itertools.starmap(row, rows)) + "#Summary:\n")
    return str(path)


def test_the_real_table(shared: Path) -> None:
    found = luminosity.load(str(shared / "data/lumi/brilcalc_by_lumisection_sample.csv"))
    lines = (shared / "data/lumi/brilcalc_by_lumisection_sample.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines if line and not line.startswith("#")]
    assert len(found) == len(rows)
    assert found[297050, 12] == pytest.approx(0.154234862e-3, rel=1e-12)
    assert sum(found.values()) == pytest.approx(sum(float(fields[6]) for fields in rows) / 1e3, rel=1e-12)


@given(st.lists(PAIRS), st.lists(PAIRS), st.sets(PAIRS))
def test_each_section_counts_once(first: list[Any], second: list[Any], certified: set[Any]) -> None:
    recorded = {(run, section): 0.001 * run + 0.01 * section for run in range(1, 5) for section in range(1, 40)}
    rows = luminosity.ranges(certified)
    mask = LumiMask(*(np.array([entry[column] for entry in rows], np.int64) for column in range(3)))
    found = luminosity.processed(recorded, mask, [luminosity.ranges(first), luminosity.ranges(second)])
    wanted = {*first, *second} & certified
    assert found.recorded == pytest.approx(sum(recorded.get(section, 0.0) for section in wanted))
    assert set(found.unknown) == {section for section in wanted if section not in recorded}
    assert found.certified == pytest.approx(sum(recorded.get(section, 0.0) for section in certified))


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        (HEADER, [(1, 2, 0.1), (1, 2, 0.1)], "run 1 lists section 2 twice"),
        ("run,ls\n", [], "no line '#run:fill"),
        (HEADER, [(1, 2, -1.0)], "run 1, section 2 has the luminosity -1.0"),
        (HEADER, [(1, 2, float("nan"))], "has the luminosity nan"),
        (HEADER + "1:2,x\n", [], "'1:2,x' is no line of brilcalc"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path: Path, header: str, rows: list[Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        luminosity.load(table(tmp_path, *rows, header=header))
    with pytest.raises(ConfigError, match="cannot be read"):
        luminosity.load(str(tmp_path / "none.csv"))


def test_units(tmp_path: Path) -> None:
    path = table(tmp_path, (1, 1, 3.0), header=HEADER.replace("recorded(/pb)", "recorded(/ub)"))
    assert luminosity.load(path) == {(1, 1): pytest.approx(3e-9)}


# --- a run ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def run_of(
    tmp_path: Path,
    four_muon_events: Callable[..., dict[str, Any]],
    write_nanoaod: Callable[..., Path],
    four_muon_config: Callable[..., RunConfig],
) -> Callable[..., RunConfig]:
    """A function from the sections in a table to a run over two files of data, of 3 and 2 sections, and simulation."""
    sections = [[(1, 1), (1, 2), (1, 3)], [(1, 3), (2, 7)]]

    def configure(*rows: tuple[int, int, float], missing: bool = False, **settings: Any) -> RunConfig:
        paths = [
            write_nanoaod(
                tmp_path / f"{i}.root",
                four_muon_events(10, i),
                sections={"run": [run for run, _ in pairs], "luminosityBlock": [section for _, section in pairs]},
            )
            for i, pairs in enumerate(sections)
        ]
        mc = write_nanoaod(tmp_path / "mc.root", four_muon_events(20, 9), runs={"genEventSumw": [40.0]})
        if missing:
            paths[1].unlink()
        data = {"name": "d", "process": "data", "kind": "data", "primary_dataset": "First"}
        simulated = {"name": "mc", "process": "mc", "kind": "simulation", "cross_section": 2.0, "files": [str(mc)]}
        return four_muon_config(
            data | {"files": [str(path) for path in paths]},
            simulated,
            luminosity_table=table(tmp_path, *rows),
            **settings,
        )

    return configure


ROWS = ((1, 1, 100.0), (1, 2, 200.0), (1, 3, 400.0), (2, 7, 800.0), (3, 1, 1600.0))


def test_simulation_is_normalised_to_what_was_processed(run_of: Callable[..., RunConfig]) -> None:
    config = run_of(*ROWS)
    tally = engine.run(config)
    assert not tally.failures
    assert normalisation.normalised_to(config, tally) == pytest.approx(1.5)
    assert normalisation.scale(config, tally, config.datasets[1]).factor == pytest.approx(2.0 * 1500 / 40)
    assert not normalisation.incomplete(config, tally)


def test_a_partial_run_is_normalised_to_what_it_saw(run_of: Callable[..., RunConfig]) -> None:
    config = run_of(*ROWS, missing=True)
    tally = engine.run(config)
    assert len(tally.failures) == 1
    assert normalisation.normalised_to(config, tally) == pytest.approx(0.7)
    assert not normalisation.incomplete(config, tally), "what is there has its own luminosity"


def test_uncertified_sections_do_not_count(run_of: Callable[..., RunConfig], tmp_path: Path) -> None:
    (tmp_path / "mask.json").write_text('{"1": [[2, 3]], "3": [[1, 1]]}')
    config = run_of(*ROWS, lumi_mask=str(tmp_path / "mask.json"))
    tally = engine.run(config)
    [found] = normalisation.processed(config, tally).values()
    assert found.recorded == pytest.approx(0.6)
    assert found.certified == pytest.approx(2.2)
    assert lumi_mask.load(str(tmp_path / "mask.json")).run.size == 2


def test_a_table_that_lacks_a_run(run_of: Callable[..., RunConfig]) -> None:
    config = run_of(*ROWS[:3])
    [problem] = normalisation.incomplete(config, engine.run(config))
    assert "the luminosity of 1 processed sections is not in" in problem
    assert "run 2, section 7" in problem


# --- prescaled triggers, and masks of other runs -------------------------------------------------------------------

PATH_HEADER = "#run:fill,ls,time,hltpath,delivered(/pb),recorded(/pb),avgpu,source\n"


def path_row(run: int, section: int, recorded: float, path: str = "HLT_Mu8_v1") -> str:
    return f"{run}:5839,{section}:{section},06/16/17 20:55:44,{path},0.16,{recorded},40.3,HFET\n"


def test_a_table_of_one_trigger_path(tmp_path: Path) -> None:
    path = tmp_path / "path.csv"
    path.write_text(PATH_HEADER + path_row(1, 1, 0.5) + path_row(1, 2, 0.25))
    assert luminosity.load(str(path)) == {(1, 1): pytest.approx(5e-4), (1, 2): pytest.approx(2.5e-4)}
    both = tmp_path / "both.csv"
    both.write_text(path.read_text() + path_row(1, 1, 3.0, "HLT_Mu17_v1"))
    with pytest.raises(ConfigError, match="paths HLT_Mu17_v1, HLT_Mu8_v1; expected one"):
        luminosity.load(str(both))


def test_prescaled_data_do_not_normalise_simulation(run_of: Callable[..., RunConfig], tmp_path: Path) -> None:
    """The second primary dataset is of a trigger that was prescaled by 100."""
    config = run_of(*ROWS)
    prescaled = tmp_path / "path.csv"
    prescaled.write_text(PATH_HEADER + "".join(path_row(run, section, x / 100) for run, section, x in ROWS))
    first = config.datasets[0]
    data = first.model_copy(update={"files": first.files[:1]})
    other = first.model_copy(
        update={
            "name": "single", "process": "single", "primary_dataset": "Second", "files": first.files[1:],
            "luminosity_table": str(prescaled),
        }
    )  # fmt: skip
    config = config.model_copy(update={"datasets": (data, other, config.datasets[1])})
    tally = engine.run(config)
    assert normalisation.normalised_to(config, tally) == pytest.approx(0.7)
    assert normalisation.luminosity_of(config, tally, "single") == pytest.approx(0.012)
    assert normalisation.luminosity_of(config, tally, "data") is None
    assert not normalisation.incomplete(config, tally), "less luminosity is what a prescale is"


def test_data_outside_of_the_mask_are_said(run_of: Callable[..., RunConfig], tmp_path: Path) -> None:
    (tmp_path / "mask.json").write_text('{"99": [[1, 10]]}')
    config = run_of(*ROWS, lumi_mask=str(tmp_path / "mask.json"))
    problems = normalisation.incomplete(config, engine.run(config))
    assert any("d: none of its 20 events is in the luminosity mask" in problem for problem in problems)


def test_simulation_has_no_table(four_muon_config: Callable[..., RunConfig]) -> None:
    dataset = {"name": "mc", "process": "mc", "kind": "simulation", "cross_section": None, "files": ["a.root"]}
    with pytest.raises(ConfigError, match="simulation has no luminosity_table"):
        four_muon_config(dataset | {"luminosity_table": "a.csv"})
