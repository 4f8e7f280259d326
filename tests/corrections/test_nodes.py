"""Every kind of node, in payloads of the shapes that collaborations write, against correctionlib."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest

from gpuhiggs import corrections
from gpuhiggs.kernels import lookup

RNG = np.random.default_rng(5)
Write: TypeAlias = Callable[..., Path]
Compare: TypeAlias = Callable[..., Any]
FLOWS: list[Any] = [
    "clamp",
    "error",
    "wrap",
    7.25,
    {"nodetype": "formula", "parser": "TFormula", "expression": "-x", "variables": ["x"]},
]
X = np.concatenate([
    np.linspace(-12.0, 14.0, 521), RNG.uniform(-100.0, 100.0, 200), [1e30, -1e30, 5e-324, -0.0],
    np.nextafter([0.0, 2.5, 3.0, 7.0, 10.0], -np.inf), np.nextafter([0.0, 2.5, 3.0, 7.0, 10.0], np.inf),
])  # fmt: skip


def _formula(expression: str, variables: list[str], parameters: list[float] | None = None) -> dict[str, Any]:
    formula = {"nodetype": "formula", "parser": "TFormula", "expression": expression, "variables": variables}
    return formula if parameters is None else formula | {"parameters": parameters}


def _binning(name: str, edges: Any, content: list[Any], flow: Any = "error") -> dict[str, Any]:
    return {"nodetype": "binning", "input": name, "edges": edges, "content": content, "flow": flow}


def _category(name: str, default: Any = None, **content: Any) -> dict[str, Any]:
    items = [{"key": int(key[1:]) if key[0] == "_" else key, "value": value} for key, value in content.items()]
    return {"nodetype": "category", "input": name, "content": items, "default": default}


VARIABLE, UNIFORM, INFINITE = (
    [0.0, 2.5, 3.0, 7.0, 10.0],
    {"n": 4, "low": 0.0, "high": 10.0},
    ["-inf", 0.0, 1.0, 2.0, "inf"],
)


@pytest.mark.parametrize(
    ("edges", "flow"),
    [
        *((edges, flow) for edges in (VARIABLE, UNIFORM) for flow in FLOWS),
        *((INFINITE, flow) for flow in FLOWS if flow != "wrap"),
    ],
)
def test_binning(write: Write, compare: Compare, edges: Any, flow: Any) -> None:
    compare(write({"x": "real"}, c=_binning("x", edges, [1.1, 2.2, 3.3, 4.4], flow)), "c", {}, [X])


def test_upper_edge_of_uniform_bins(write: Write) -> None:
    """Where x - low rounds up to the whole width, the last bin is meant, and newer correctionlib says so."""
    path = write({"x": "real"}, c=_binning("x", {"n": 4, "low": -3.0, "high": 1.0}, [1.0, 2.0, 3.0, 4.0], "error"))
    assert corrections.load(path)["c"].compile().evaluate(np.nextafter(1.0, 0.0)) == 4.0


def test_nan_counts_as_above(write: Write, compare: Compare) -> None:
    nan = [np.array([np.nan])]
    compare(write({"x": "real"}, c=_binning("x", [0.0, 1.0, 2.0], [1.0, 2.0], "clamp")), "c", {}, nan)
    compare(write({"x": "real"}, c=_binning("x", [0.0, 1.0, 2.0], [1.0, 2.0], 9.0)), "c", {}, nan)
    uniform = {"n": 2, "low": 0.0, "high": 2.0}  # undefined behaviour in C++: here as for other edges
    for flow, expected in (("clamp", 2.0), ("wrap", 2.0), (9.0, 9.0)):
        path = write({"x": "real"}, c=_binning("x", uniform, [1.0, 2.0], flow))
        assert corrections.load(path)["c"].compile().evaluate(np.nan) == expected


@pytest.mark.parametrize("flow", FLOWS)
def test_multibinning(write: Write, compare: Compare, flow: Any) -> None:
    node = {
        "nodetype": "multibinning", "inputs": ["x", "n", "y"], "flow": flow,
        "edges": [[0.0, 2.5, 3.0, 10.0], [0.0, 1.0, 4.0], {"n": 5, "low": -1.0, "high": 1.0}],
        "content": RNG.uniform(0.5, 1.5, 30).tolist(),
    }  # fmt: skip
    path = write({"x": "real", "n": "int", "y": "real"}, c=node)
    n = X.size
    compare(path, "c", {}, [X, RNG.integers(-1, 5, n), RNG.uniform(-1.3, 1.3, n)])


@pytest.mark.parametrize("default", [None, 0.5])
def test_category_of_integers(write: Write, compare: Compare, default: float | None) -> None:
    keys = {f"_{key}": float(key) / 3 for key in (11, -13, 0, 5, 2**30)}
    path = write({"i": "int"}, c=_category("i", default, **keys))
    compare(path, "c", {}, [np.array([11, -13, 0, 5, 4, 6, 12, -14, 2**30, 2**30 + 1, 10**12])])


def test_category_of_strings(write: Write, compare: Compare) -> None:
    path = write({"s": "string", "x": "real"}, c=_category("s", _formula("2*x", ["x"]), up=1.5, down=0.5))
    for key in ("up", "down", "anything"):
        compare(path, "c", {"s": key}, [X])


def test_strings_chosen_by_number(write: Write) -> None:
    path = write({"s": "string", "x": "real"}, c=_category("s", None, a=_formula("x", ["x"]), b=2.0, c=3.0))
    compiled = corrections.load(path)["c"].compile(s=("b", "a"))
    assert compiled.variables == ("s", "x")
    values, codes = compiled.lookup([0, 1, 2, 0.5], [7.0, 8.0, 9.0, 9.0])
    assert values[:2].tolist() == [2.0, 8.0]
    assert codes.tolist() == [0, 0, lookup.UNKNOWN_KEY, lookup.UNKNOWN_KEY]


def test_jet_energy_scale(write: Write, compare: Compare) -> None:
    """As jerc files have it: bins in eta, of which each is a formula of pt, and the three levels as one compound."""
    expression = "max(0.0001,[0]+[1]/(pow(log10(x),2)+[2])+[3]*exp(-([4]*((log10(x)-[5])*(log10(x)-[5])))))"
    offset = "max(0.0001,1-(z/y)*([0]*(x-[1])+[2]*log(y/[3])*(1+y*y))/(t+1))"
    inputs = {"JetPt": "real", "JetEta": "real", "Rho": "real", "JetA": "real"}
    eta = [-5.2, -2.5, -1.3, 0.0, 1.3, 2.5, 5.2]

    def level(text: str, names: list[str], n: int) -> Any:
        return _binning("JetEta", eta, [_formula(text, names, RNG.uniform(0.1, 1.0, n).tolist()) for _ in range(6)])

    stack = {
        "name": "L1L2",
        "inputs_update": ["JetPt"],
        "input_op": "*",
        "output_op": "*",
        "stack": ["L1", "L2", "res"],
    }
    path = write(
        inputs,
        [stack],
        L1=level(offset, ["Rho", "JetPt", "JetA", "JetEta"], 4),
        L2=level(expression, ["JetPt"], 6),
        res=_binning(
            "JetEta", eta, [_binning("JetPt", [0.0, 30.0, 6500.0], [1.01, 0.99 + 0.001 * i], "clamp") for i in range(6)]
        ),
    )
    n = 500
    columns = [
        np.exp(RNG.uniform(2.3, 7.0, n)),
        RNG.uniform(-5.4, 5.4, n),
        RNG.uniform(0, 60, n),
        RNG.uniform(0.3, 0.7, n),
    ]
    for name in ("L1", "L2", "res", "L1L2"):
        compare(path, name, {}, columns, tolerance=1e-12)


@pytest.mark.parametrize("output", ["+", "*", "/", "last"])
@pytest.mark.parametrize("change", ["+", "*", "/"])
def test_compound(write: Write, compare: Compare, change: str, output: str) -> None:
    stack = {
        "name": "all",
        "inputs_update": ["x", "y"],
        "input_op": change,
        "output_op": output,
        "stack": ["a", "b", "a"],
    }
    shifted = {
        "nodetype": "transform",
        "input": "x",
        "rule": _formula("x+y", ["x", "y"]),
        "content": _formula("x/(2+y*y)", ["x", "y"]),
    }
    path = write(
        {"x": "real", "y": "real", "s": "string"}, [stack],
        a=_category("s", None, up=_formula("1+x*x+y", ["x", "y"]), down=0.5), b=shifted,
    )  # fmt: skip
    columns = [RNG.uniform(0.5, 2.0, 50), RNG.uniform(0.5, 2.0, 50)]
    for key in ("up", "down"):
        compare(path, "all", {"s": key}, columns, tolerance=1e-14)


def test_transforms(write: Write, compare: Compare) -> None:
    """Of reals and integers, in each other's content and rules, and not visible outside of their content."""
    rounding = {
        "nodetype": "transform",
        "input": "i",
        "rule": _formula("x", ["x"]),
        "content": _category("i", -1.0, _0=10.0, _1=11.0, _2=12.0),
    }
    inner = {"nodetype": "transform", "input": "x", "rule": _formula("x*x", ["x"]), "content": _formula("x+1", ["x"])}
    nested = {"nodetype": "transform", "input": "x", "rule": inner, "content": rounding}
    outer = {"nodetype": "transform", "input": "y", "rule": nested, "content": _formula("1000*y+x", ["x", "y"])}
    path = write({"x": "real", "y": "real", "i": "int"}, c=outer, d=rounding)
    x = np.array([0.0, 0.49999999999999994, 0.5, -0.5, 1.5, -1.5, 2.5, 0.7, 1.2, -0.49999999999999994])
    formula_is_swapped = corrections.load(path)["c"].compile()
    assert formula_is_swapped.slots > 3
    compare(path, "c", {}, [x, x + 1, np.zeros(x.size, np.int64)])
    compare(path, "d", {}, [x, x, np.zeros(x.size, np.int64)])


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9])
@pytest.mark.parametrize("distribution", ["stdflat", "stdnormal", "normal"])
@pytest.mark.filterwarnings("ignore:'stdnormal' distribution")
def test_random_numbers(write: Write, compare: Compare, distribution: str, n: int) -> None:
    """The hash and the generator to the bit; the logarithm of the normal ones is ours."""
    names = ["event", "pt", "run", "eta", "lumi", "phi", "a", "b", "c"][:n]
    inputs = {name: "int" if name in {"event", "run", "lumi"} else "real" for name in names}
    path = write(inputs, c={"nodetype": "hashprng", "inputs": names, "distribution": distribution})
    columns = [RNG.integers(0, 2**45, 300) if kind == "int" else RNG.normal(0.0, 50.0, 300) for kind in inputs.values()]
    found = compare(path, "c", {}, columns, tolerance=0.0 if distribution == "stdflat" else 1e-14)
    assert found.std() == pytest.approx(0.29 if distribution == "stdflat" else 1.0, rel=0.2)


def test_jet_energy_resolution(write: Write, compare: Compare) -> None:
    """Deterministic smearing: a random number of the event and the jet, scaled by the resolution."""
    smear = _formula("1+x*y*sqrt(max(z*z-1,0))", ["r", "res", "sf"])
    drawn = {"nodetype": "hashprng", "inputs": ["event", "pt", "eta"], "distribution": "normal"}
    node = {"nodetype": "transform", "input": "r", "rule": drawn, "content": smear}
    path = write({"event": "int", "pt": "real", "eta": "real", "res": "real", "sf": "real", "r": "real"}, c=node)
    n = 300
    columns = [
        RNG.integers(0, 2**40, n),
        RNG.uniform(15, 300, n),
        RNG.uniform(-5, 5, n),
        RNG.uniform(0.05, 0.3, n),
        RNG.uniform(0.9, 1.3, n),
        np.zeros(n),
    ]
    compare(path, "c", {}, columns, tolerance=1e-12)


def test_b_tag_shape(write: Write, compare: Compare) -> None:
    """Systematic, flavour, eta, pt and discriminant, in the nesting of the deepJet_shape payloads."""

    def shape(seed: int) -> Any:
        rng = np.random.default_rng(seed)
        by_disc = [_formula("[0]+x*([1]+x*([2]+x*[3]))", ["disc"], rng.uniform(-1, 1, 4).tolist()) for _ in range(3)]
        by_pt = _binning(
            "pt", [20.0, 30.0, 50.0, "inf"], [_binning("disc", [-15.0, 0.0, 0.5, 1.0], by_disc, "clamp")] * 3, "clamp"
        )
        return _binning("abseta", [0.0, 2.5], [by_pt])

    flavours = _category("flavor", None, _0=shape(1), _4=1.0, _5=shape(2))
    node = _category("systematic", None, central=flavours, up_hf=_category("flavor", None, _0=shape(3), _5=shape(4)))
    path = write({"systematic": "string", "flavor": "int", "abseta": "real", "pt": "real", "disc": "real"}, c=node)
    n = 400
    columns = [RNG.choice([0, 4, 5, 21], n), RNG.uniform(0, 2.7, n), RNG.uniform(15, 200, n), RNG.uniform(-1, 1.1, n)]
    for key in ("central", "up_hf"):
        compare(path, "c", {"systematic": key}, columns, tolerance=1e-12)


def test_generic_formulas(write: Write, compare: Compare) -> None:
    content = [{"nodetype": "formularef", "index": i % 2, "parameters": [0.5 + i, 0.25]} for i in range(4)]
    generic = [_formula("[0]+[1]*x", ["x"]), _formula("[0]*exp(-[1]*x^2)", ["x"])]
    path = write({"x": "real"}, generic=generic, c=_binning("x", {"n": 4, "low": 0.0, "high": 10.0}, content, "clamp"))
    compare(path, "c", {}, [X[np.abs(X) < 50]], tolerance=1e-12)


def test_fixed_numbers(write: Write) -> None:
    """A number that the configuration fixes gives what the same number in a column does."""
    inner = _category("i", None, _1=_formula("x*y", ["x", "y"]), _2=_binning("y", [0.0, 1.0, 2.0], [5.0, 6.0]))
    path = write({"x": "real", "y": "real", "i": "int"}, c=inner)
    correction = corrections.load(path)["c"]
    free, fixed = correction.compile(), correction.compile(y=1.5, i=2)
    assert fixed.variables == ("x",)
    assert fixed.evaluate(3.0) == free.evaluate(3.0, 1.5, 2) == 6.0
    assert correction.compile(i=1, x=2.0).evaluate(0.25) == 0.5


def test_equal_parts_are_stored_once(write: Write) -> None:
    bins = _binning("x", [0.0, 1.0, 2.0], [1.0, 2.0])
    path = write({"x": "real", "s": "string"}, c=_category("s", None, up=bins, same=bins, other=2.0))
    library = corrections.Library()
    correction = corrections.load(path)["c"]
    roots = [library.add(correction, {"s": key}, {"x": 0}) for key in ("up", "same", "other")]
    assert roots[0] == roots[1] != roots[2]
    assert roots[2] < 0
    assert library.tables().values.size <= 5


def test_tabulated(write: Write) -> None:
    """The kernel function for tables alone gives what the general one gives; a library says where it may be used."""
    inner = _category("i", None, _1=_binning("x", [0.0, 1.0, 2.0], [1.0, 2.0]), _2=7.0)
    path = write({"x": "real", "i": "int"}, c=inner, d=_formula("x", ["x"]))
    compiled = corrections.load(path)["c"].compile()
    assert compiled.tabulated
    columns = np.meshgrid([-0.5, 0.5, 1.5, 2.5, np.nan], [0.0, 1.0, 2.0])
    ours, general = compiled.lookup(*columns), compiled._replace(tabulated=False).lookup(*columns)
    assert ours[0].tobytes() == general[0].tobytes()
    assert (ours[1] == general[1]).all()
    assert set(ours[1].ravel().tolist()) == {lookup.FOUND, lookup.OUT_OF_RANGE, lookup.UNKNOWN_KEY}
    assert not corrections.load(path)["d"].compile().tabulated
