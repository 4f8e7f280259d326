"""What is refused, and how it is said."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import correctionlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuhiggs import corrections
from gpuhiggs.config import validate
from gpuhiggs.corrections import CorrectionConfig, Library, compile_declared
from gpuhiggs.corrections.numbers import read
from gpuhiggs.errors import ConfigError, RunError
from gpuhiggs.kernels import lookup

Write: TypeAlias = Callable[..., Path]
BINS: dict[str, Any] = {
    "nodetype": "binning",
    "input": "x",
    "edges": [0.0, 1.0, 2.0],
    "content": [1.0, 2.0],
    "flow": "error",
}
CHOICE: dict[str, Any] = {
    "nodetype": "category", "input": "s",
    "content": [{"key": "sf", "value": BINS}, {"key": "up", "value": 3.0}, {"key": "down", "value": 3.0}],
}  # fmt: skip
INPUTS = {"s": "string", "x": "real", "i": "int"}


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.json: No such file"):
        corrections.load(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not JSON", "not a correctionlib file"),
        (b"\x1f\x8b broken", "nonsense|truncated|not|Not|Error"),
        (b"[1, 2]", "expected the keys schema_version and corrections"),
        (b'{"corrections": []}', "expected the keys"),
        (b'{"schema_version": 2, "corrections": [3]}', "expected the keys"),
        (b'{"schema_version": 1, "corrections": []}', "schema version 1, expected 2"),
        (b'{"schema_version": 2, "corrections": [{"name": "a"}, {"name": "a"}]}', "named twice: a"),
        (b'{"schema_version": 2, "corrections": [], "x": 1.5e400}', "1.5e400 is too large"),
    ],
)
def test_file_that_is_none(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        corrections.load(path)


def test_gzipped(write: Write, tmp_path: Path) -> None:
    path = tmp_path / "file.json.gz"
    path.write_bytes(gzip.compress(write(INPUTS, c=BINS).read_bytes()))
    assert corrections.load(path)["c"].compile(s="", i=0).evaluate(0.5) == 1.0


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"nodetype": "spline"}, r"c: data: unknown nodetype 'spline'; known: 'binning'"),
        (BINS | {"content": [1.0, {"nodetype": "spline"}]}, "unknown nodetype 'spline'"),
        (BINS | {"content": [1.0]}, "c: data"),
        (BINS | {"edges": [1.0, 0.0, 2.0]}, "not monotonically increasing"),
        (BINS | {"input": "u"}, "Binning input 'u' not found"),
        (BINS | {"flow": "ignore"}, "c: data"),
        (BINS | {"colour": 1}, "colour: Extra inputs are not permitted"),
    ],
)
def test_node_that_is_none(write: Write, node: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        corrections.load(write(INPUTS, c=node))["c"]
    assert len(str(caught.value)) < 600


def test_network_node(write: Write) -> None:
    finalizer = {"nodetype": "formula", "parser": "TFormula", "expression": "x", "variables": ["out"]}
    node = {"nodetype": "lwtnn", "opaque": {"inputs": [{"name": "x"}], "outputs": ["out"]}, "finalizer": finalizer}
    with pytest.raises(ConfigError, match="nodes of type 'lwtnn' are not supported; known: binning"):
        corrections.load(write(INPUTS, c=node))["c"].compile(s="")


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        (
            {},
            r"the input 's' is missing \(a string: it must be given when compiling\); it has s \(string\), x \(real\)",
        ),
        ({"s": "sf_up"}, "unknown key 'sf_up' for the input 's'; known: sf, up, down"),
        ({"s": 3}, "'s' is of type string, got 3"),
        ({"s": "sf", "i": 1.5}, "'i' is of type int, got 1.5"),
        ({"s": "sf", "i": True}, "'i' is of type int, got True"),
        ({"s": "sf", "x": float("nan")}, "'x' is nan, expected a finite number"),
        ({"s": "sf", "i": 2**60}, "expected a finite number below"),
        ({"s": "sf", "sytematic": "up"}, r"unknown input 'sytematic'; it has s \(string\)"),
        ({"s": ("sf", "sf")}, "expected different keys"),
    ],
)
def test_inputs(write: Write, fixed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        corrections.load(write(INPUTS, c=CHOICE))["c"].compile(**fixed)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (BINS | {"input": "s"}, "the input 's' is a string, expected a number"),
        ({"nodetype": "category", "input": "x", "content": []}, "not of the type of its input 'x', real"),
        ({"nodetype": "category", "input": "i", "content": [{"key": "a", "value": 1.0}]}, "not of the type"),
        ({"nodetype": "category", "input": "i", "content": [{"key": 2**60, "value": 1.0}]}, "beyond 2⁵³"),
        ({"nodetype": "formularef", "index": 0, "parameters": []}, "formularef 0, but there are 0"),
        ({"nodetype": "transform", "input": "s", "rule": 1.0, "content": 1.0}, "'s' is a string"),
        (
            {"nodetype": "multibinning", "inputs": ["x"], "edges": [[0, 1], [0, 1]], "content": [1.0], "flow": 0.0},
            "2 axes",
        ),
        (
            {"nodetype": "formula", "parser": "TFormula", "expression": "x", "variables": ["i"]},
            "real inputs, 'i' is int",
        ),
    ],
)
def test_what_the_schema_does_not_see(write: Write, node: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        corrections.load(write(INPUTS, c=node))["c"].compile(s="sf")


def test_transforms_too_deep(write: Write) -> None:
    node: Any = 1.0
    for _ in range(lookup.RULES + 1):
        node = {"nodetype": "transform", "input": "x", "rule": node, "content": BINS}
    with pytest.raises(ConfigError, match=f"more than {lookup.RULES} transforms"):
        corrections.load(write(INPUTS, c=node))["c"].compile(s="sf")


def test_compounds(write: Write) -> None:
    stack: dict[str, Any] = {"name": "all", "input_op": "*", "output_op": "*", "stack": ["c"], "inputs_update": ["x"]}
    inputs = {"x": "real"}
    changes: list[tuple[dict[str, Any], str]] = [
        ({"stack": ["d"]}, "its part 'd' is not in the file"),
        ({"inputs_update": ["y"]}, "'y' is none of its real inputs"),
        ({"inputs": []}, "'x' is none of its real inputs"),
        ({"inputs": [], "inputs_update": []}, "'c' has the input 'x', which"),
    ]
    for change, message in changes:
        path = write(inputs, [stack | change], c=BINS)
        with pytest.raises(ConfigError, match=message):
            corrections.load(path)["all"].compile()


def test_unknown_correction(write: Write) -> None:
    with pytest.raises(ConfigError, match="unknown correction 'd'; known: c"):
        corrections.load(write(INPUTS, c=BINS))["d"]


def test_values_out_of_range_are_counted(write: Write) -> None:
    compiled = corrections.load(write(INPUTS, c=BINS))["c"].compile(s="", i=0)
    values, codes = compiled.lookup([0.5, -1.0, 2.0, np.nan])
    assert codes.tolist() == [lookup.FOUND] + 3 * [lookup.OUT_OF_RANGE]
    assert np.isnan(values).tolist() == [False, True, True, True]
    with pytest.raises(RunError, match=r"c: x = -1\.0 is outside of its binning; 2 of 3 such"):
        compiled.evaluate([0.5, -1.0, 2.0])
    with pytest.raises(TypeError, match="c takes x; got 2 arrays"):
        compiled.evaluate(1.0, 2.0)


def test_numbers_are_read_as_correctionlib_does() -> None:
    """Correctly rounded where one operation on at most 17 digits gives that, and not where it does not."""
    for text in ("1.5", "-0.25e3", "0.1", "1e22", "-0.0", "3E-5", "12345678901234567890123.5", "4.9e-324"):
        assert read(text) == float(text)
    assert read("0.9888888597488403") == np.nextafter(0.9888888597488403, 1.0)  # in 2018_UL/electron.json


def _numbers() -> st.SearchStrategy[str]:
    digits = st.text("0123456789", min_size=1, max_size=24)
    whole = st.integers(0, 10**18).map(str)
    decimals = st.tuples(whole, digits).map(".".join)
    exponents = st.tuples(decimals, st.integers(-330, 285).map(str)).map("e".join)
    return decimals | exponents | st.floats(-1e20, 1e20).map(repr).filter(lambda text: "." in text)


@settings(deadline=None, max_examples=40)
@given(st.lists(_numbers(), min_size=1, max_size=40))
def test_numbers_against_correctionlib(texts: list[str]) -> None:
    text = json.dumps({"schema_version": 2, "corrections": [_table("c", len(texts))]})
    text = text.replace('"VALUES"', f"[{', '.join(texts)}]")
    known = correctionlib.CorrectionSet.from_string(text)["c"]
    theirs: list[Any] = [known.evaluate(place + 0.5) for place in range(len(texts))]
    assert [read(one).hex() for one in texts] == [float(one).hex() for one in theirs]


def _table(name: str, n: int) -> dict[str, Any]:
    edges = {"n": n, "low": 0.0, "high": float(n)}
    data = {"nodetype": "binning", "input": "x", "edges": edges, "content": "VALUES", "flow": "error"}
    inputs, output = [{"name": "x", "type": "real"}], {"name": "y", "type": "real"}
    return {"name": name, "version": 1, "inputs": inputs, "output": output, "data": data}


def test_file_that_changes_is_read_again(write: Write) -> None:
    path = write({"x": "real"}, c=1.5)
    assert corrections.load(path)["c"].compile(x=0.0).evaluate() == 1.5
    assert corrections.load(path) is corrections.load(path)
    write({"x": "real"}, c=12.5)
    assert corrections.load(path)["c"].compile(x=0.0).evaluate() == 12.5


# --- declarations ----------------------------------------------------------------------------------------------------

DECLARED: dict[str, Any] = {
    "name": "c", "columns": {"x": "muons.pt"}, "fixed": {"i": 0},
    "variation": {"input": "s", "nominal": "sf", "up": "up", "down": "lower"},
}  # fmt: skip
OFFERED = ("muons.eta", "muons.pt")


def _declare(path: Path, **change: Any) -> CorrectionConfig:
    return validate(CorrectionConfig, DECLARED | {"file": str(path)} | change, "test")


def test_declaration(write: Write) -> None:
    choice = CHOICE | {"content": [*CHOICE["content"], {"key": "lower", "value": 0.5}]}
    library = Library()
    roots = compile_declared(library, _declare(write(INPUTS, c=choice)), OFFERED, "corrections.muon")
    assert library.slots == 2
    assert len(set(roots)) == 3
    found = [corrections.Compiled("c", library.tables(), root, OFFERED, 2, True).evaluate(9.0, 1.5) for root in roots]
    assert found == [2.0, 3.0, 0.5]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": {"x": "muons.phi"}}, "unknown quantity 'muons.phi'; the channel offers muons.eta, muons.pt"),
        ({"variation": None}, "the input 's' is missing"),
        (
            {"variation": {"input": "s", "nominal": "sf", "up": "up", "down": "down"}},
            r"up \('up'\) and down \('down'\) of c are equal",
        ),
        ({"variation": {"input": "s", "nominal": "sf", "up": "up", "down": "u"}}, "unknown key 'u'"),
    ],
)
def test_declaration_that_does_not_fit(write: Write, change: dict[str, Any], message: str) -> None:
    path = write(INPUTS, c=CHOICE)
    with pytest.raises(ConfigError, match=message):
        compile_declared(Library(), _declare(path, **change), OFFERED, "corrections.muon")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"variation": {"input": "s", "nominal": "sf", "up": "up", "down": "up"}},
            "must differ, got 'sf', 'up' and 'up'",
        ),
        ({"fixed": {"x": 3.0}}, "inputs given twice: x"),
        ({"keys": {"s": ["a"]}}, "keys: s not among the columns"),
        ({"colums": {}}, "unknown key 'colums'"),
    ],
)
def test_declaration_by_itself(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _declare(Path("file.json"), **change)


def test_payload_is_read_only_where_it_is_asked_for(write: Write) -> None:
    """A correction that nobody asks for may have nodes that are not known."""
    path = write(INPUTS, c=BINS, d={"nodetype": "spline"})
    assert json.loads(path.read_text())["corrections"][1]["data"] == {"nodetype": "spline"}
    assert corrections.load(path)["c"].compile(s="", i=0).evaluate(1.5) == 2.0
