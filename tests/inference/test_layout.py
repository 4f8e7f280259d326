from __future__ import annotations

import numpy as np
import pytest

from gpuhiggs.errors import InputError
from gpuhiggs.inference import Channel, HistoSys, NormFactor, NormSys, Sample, StatError, Workspace, flatten


@pytest.fixture
def workspace() -> Workspace:
    """Two channels of two and one bins; H in both, ZZ in the first."""
    stat = StatError(parameter="stat", errors=(0.1, 0.0))
    higgs = Sample(
        name="H",
        yields=(1.0, 2.0),
        modifiers=(NormFactor(parameter="mu"), NormSys(parameter="eff", up=1.1, down=0.9), stat),
    )
    shape = HistoSys(parameter="scale", up=(12.0, 18.0), down=(9.0, 21.0))
    background = Sample(name="ZZ", yields=(10.0, 20.0), modifiers=(shape,))
    other = Sample(name="H", yields=(3.0,), modifiers=(NormFactor(parameter="mu"),))
    return Workspace(
        poi="mu", channels=(Channel(name="4mu", samples=(higgs, background)), Channel(name="4e", samples=(other,)))
    )


def test_entries_blocks_and_bins(workspace: Workspace) -> None:
    model = flatten(workspace)
    assert [parameter.name for parameter in model.parameters] == ["mu", "eff", "scale", "stat[0]"]
    arrays = model.arrays
    np.testing.assert_array_equal(arrays.nominal, [1.0, 2.0, 10.0, 20.0, 3.0])
    np.testing.assert_array_equal(arrays.block_start, [0, 2, 4, 5])
    np.testing.assert_array_equal(arrays.block_bin, [0, 0, 2])
    assert model.channels == {"4mu": slice(0, 2), "4e": slice(2, 3)}
    assert model.blocks == (("4mu", "H", slice(0, 2)), ("4mu", "ZZ", slice(2, 4)), ("4e", "H", slice(4, 5)))
    np.testing.assert_array_equal(arrays.block_factor_start, [0, 2, 2, 3])
    np.testing.assert_array_equal(arrays.factor_parameter[arrays.block_factor], [0, 1, 0])
    np.testing.assert_array_equal(arrays.shape_parameter, [2])
    np.testing.assert_allclose(arrays.odd, [1.5, -1.5])
    np.testing.assert_allclose(arrays.even, [1 / 16, -1 / 16])


def test_mc_statistics_alone_in_their_bin_are_found(workspace: Workspace) -> None:
    arrays = flatten(workspace).arrays
    np.testing.assert_array_equal(arrays.bin_parameter, [3, -1, -1])
    np.testing.assert_array_equal(arrays.entry_error, [1.0, 0.0, 0.0, 0.0, 0.0])


def test_names_of_bins_and_parameters(workspace: Workspace) -> None:
    model = flatten(workspace)
    assert model.bin_name(1) == "channel '4mu', bin 1"
    assert model.bin_name(2) == "channel '4e', bin 0"
    with pytest.raises(InputError, match=r"no parameter 'nu'; known: mu, eff, scale, stat\[0\]"):
        model.values({"nu": 1.0})
    with pytest.raises(InputError, match=r"no bin 3: the model has 3"):
        model.bin_name(3)
