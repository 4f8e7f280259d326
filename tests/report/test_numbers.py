"""The numbers behind a figure, in the formats that readers take away."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest
import yaml

from gpuhiggs.report.numbers import Column, Errors, Numbers, bins, shown, symmetric, to_csv, to_hepdata, to_json

MASS = bins("m4l", [105.0, 115.0, 140.0], "GeV")
DATA = Column("Events", [12, 7], errors=(Errors([4.6, 3.8], [-3.4, -2.6], "stat"), symmetric([0.5, math.nan], "sys")))
TABLE = Numbers((MASS, DATA), "observed")


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="m4l 2, mu 1"):
        Numbers((MASS, Column("mu", [1.0])))
    with pytest.raises(ValueError, match="2 values and 1 of minus"):
        Column("mu", [1.0, 2.0], errors=(Errors([0.1, 0.2], [-0.1]),))


def test_json_has_every_value_and_null_where_there_is_none() -> None:
    mass, events = json.loads(json.dumps(to_json([TABLE]), allow_nan=False))[0]["columns"]
    assert mass["values"] == [110.0, 127.5]
    assert mass["low"] == [105.0, 115.0]
    assert events["errors"][0] == {"label": "stat", "plus": [4.6, 3.8], "minus": [-3.4, -2.6]}
    assert events["errors"][1]["plus"] == [0.5, None]


def test_csv_has_a_column_for_each_edge_and_error() -> None:
    first, second = to_csv([TABLE, TABLE]).split("\n\n")
    assert first == second.rstrip("\n")
    rows = list(csv.reader(io.StringIO(first.split("\n", 1)[1])))
    assert rows[0] == ["m4l [GeV]", "m4l [GeV] low", "m4l [GeV] high", "Events", "stat +", "stat -", "sys +", "sys -"]
    assert rows[2] == ["127.5", "115.0", "140.0", "7", "3.8", "-2.6", "", ""]


def test_hepdata_tells_bins_from_values() -> None:
    document = yaml.safe_load(to_hepdata([TABLE], "m4l", "Mass."))
    assert document["name"] == "m4l: observed"
    assert document["independent_variables"][0]["header"] == {"name": "m4l", "units": "GeV"}
    assert document["independent_variables"][0]["values"][1] == {"low": 115.0, "high": 140.0, "value": 127.5}
    values = document["dependent_variables"][0]["values"]
    assert values[0]["errors"][0] == {"asymerror": {"plus": 4.6, "minus": -3.4}, "label": "stat"}
    assert len(values[1]["errors"]) == 1


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (Column("mu", [1.0234], errors=(symmetric([0.117]),)), "1.02 ± 0.12"),
        (Column("mu", [-1.0234], errors=(Errors([0.117], [-0.095]),)), "−1.023 −0.095 +0.117"),
        (Column("mu", [1.0234]), "1.023"),
        (Column("n", [12]), "12"),
        (Column("n", np.array([12])), "12"),
        (Column("mu", [None]), "–"),
        (Column("mu", [math.inf]), "–"),
        (Column("channel", ["4e"]), "4e"),
        (Column("p", [0.1234], format=".2f"), "0.12"),
        (Column("mu", [1.0], errors=(symmetric([0.1], "a"), symmetric([0.2], "b"))), "1.00 ± 0.10 (a) ± 0.20 (b)"),
        (Column("n", [0.0], errors=(symmetric([0.0]),)), "0"),
        (Column("mu", [0.001], errors=(symmetric([0.0]),), remarks=["at a bound"]), "0.001 at a bound"),
        (Column("mu", [1.0234], errors=(symmetric([0.117]),), remarks=[""]), "1.02 ± 0.12"),
    ],
)  # fmt: skip
def test_cells_are_rounded_to_what_their_errors_allow(column: Column, text: str) -> None:
    assert shown(column) == [text]
