"""What a user's file may not say: each mistake is refused with the line that it stands on, never with a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gpuhiggs import channel_file, channels
from gpuhiggs.errors import ConfigError

EXAMPLE = (Path(channels.__file__).parents[1] / "examples" / "dimuon.py").read_text(encoding="utf-8")
HEAD, BODY = EXAMPLE.split("    muons = inputs.Muon\n")
FIRST = HEAD.count("\n") + 1
"""The line on which the body begins."""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes a channel file."""

    def write(text: str) -> Path:
        path = tmp_path / "query.py"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(path: Path) -> str:
    """What is said of a file, without its folder."""
    with pytest.raises(ConfigError) as caught:
        channels.find(channel_file.load(path).name).compile()
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("fill(out.mass, inputs.Muon.pt[0] ** 2, weight)", r"`**` has other bits"),
        ("fill(out.mass, max(1.0, 2.0), weight)", "`max` of floats differs"),
        ("fill(out.mass, np.cos(1.0), weight)", "`np` has other bits on other devices: use gpuhiggs.language.real"),
        ("fill(out.mass, cosh(1.0), weight)", "`cosh` has other bits on other devices"),
        ("fill(out.mass, unmarked(1.0), weight)", "`unmarked` is called for every event, but lacks the mark @scalar"),
        ("fill(out.mass, nothing, weight)", "the name `nothing` is not defined"),
        ("fill(out.mass, table[0], weight)", "`table` is a list: a constant is a number or a tuple"),
        ("fill(out.mass, p4.maas(1.0), weight)", "`p4` has no maas"),
        ("fill(out.mas, 1.0, weight)", "`out` has no mas; it has mass"),
        ("fill(out.mass, inputs.Muon.ptt[0], weight)", "`inputs.Muon` has no ptt; it has offsets, pt, eta"),
        ("fill(out.mass, inputs.Muons.pt[0], weight)", "`inputs` has no Muons; it has Muon"),
        ("fill(out.mass, cuts.pt_max, weight)", "`cuts` has no pt_max; it has pt_min"),
        ("weight = inputs.Muon.pt > 5.0", "`inputs.Muon.pt` is a column: write inputs.Muon.pt[i]"),
        ("inputs.Muon.pt[0] = 1.0", "`inputs.Muon.pt` is read, never written"),
        ("cuts.pt_min = 1.0", "`cuts.pt_min` cannot be assigned to"),
        ("x = [i for i in each(inputs.Muon, event)]", "there are no lists"),
        ("for pt in inputs.Muon.pt: pass", "a loop goes over range(n), each(collection, event)"),
        ("x = 'text'", "'text' is no number"),
        ("x = None", "None is no number"),
        ("x = lambda y: y", "a function stands at the top of the file"),
        ("assert weight > 0", "there are no exceptions"),
        ("import math", "`import` is not part of the language"),
    ],
)
def test_construct(line: str, reason: str, write: Write) -> None:
    beside = "import numpy as np\nfrom math import cosh\ntable = [1.0]\ndef unmarked(x): return x\n"
    path = write(f"{HEAD}    {line}\n\n\n{beside}")
    assert refusal(path).startswith(f"query.py:{FIRST}: {reason}")


@pytest.mark.parametrize(
    "lines",
    [
        "if weight > 1.0:\n        x = 1.0\n    y = x",
        "for i in each(inputs.Muon, event):\n        x = 1.0\n    y = i",
        "while weight > 1.0:\n        x = 1.0\n    y = x",
        "if weight > 1.0:\n        y = 1.0\n    y += 1.0",
    ],
)
def test_no_value(lines: str, write: Write) -> None:
    """Python would raise an error, a compiler would go on with whatever it finds."""
    assert f"query.py:{FIRST + 2}: `" in (found := refusal(write(f"{HEAD}    {lines}\n")))
    assert "may have no value here" in found


def test_every_mistake_is_named(write: Write) -> None:
    found = refusal(write(f"{HEAD}    x = nothing\n    y = 2.0 ** x\n")).splitlines()
    assert [line.split(": ")[0] for line in found] == [f"query.py:{FIRST}", f"query.py:{FIRST + 1}"]


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("muons.eta[i]", "muons.etta[i]", "return p4.from", "the collection Muon has no etta"),
        ("plus(momentum(muons, i)", "plus(momentum(muons)", "fill(out.mass", "the argument `i` is missing"),
        (", weight)", ", muons)", "fill(out.mass", "`eq` does not take the collection Muon, float64"),
        ("pt[i] > cuts.pt_min", "pt[1.5] > cuts.pt_min", "hard = ", "`getitem` does not take a column, float64"),
    ],
)
def test_types(old: str, new: str, line: str, reason: str, write: Write) -> None:
    """What only the compiler finds out is said in the same way."""
    text = EXAMPLE.replace(old, new, 1)
    at = next(i for i, one in enumerate(text.splitlines(), 1) if one.strip().startswith(line))
    found = refusal(write(text))
    assert found.startswith(f"query.py:{at}: {reason}"), found
    assert len(found.splitlines()) == 2


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("class Out", "class Other", "query.py: no Out: a channel says in `class Out(NamedTuple)` what is filled"),
        ("class Inputs", "class Other", "query.py: no Inputs: "),
        ("def body", "def bodies", "query.py: no body: "),
        ("mass: Histogram = regular", "mass: Float32 = regular", "query.py: Out.mass: expected `mass: Histogram = "),
        ("    Muon: Muon", "    Muon: Float32", "query.py: Inputs.Muon: expected a collection"),
        ("    Muon: Muon", "    events: Muon", "query.py: Inputs.events: the name is taken"),
        ("    pt: Float32", "    pt: str", "query.py: <class 'str'> is neither a column"),
        ("cuts, weight, out)", "cuts, weights, out)", "query.py:35: body takes weights; there is event, inputs, cuts"),
        ("@scalar\ndef body", "def body", "query.py:34: body lacks the mark @scalar"),
        ("import NamedTuple", "import NamedTuple, nothing", "query.py:3: ImportError: cannot import name 'nothing'"),
        ("class Muon", "1 / 0\n\n\nclass Muon", "query.py:8: ZeroDivisionError"),
        ("class Muon", "class class Muon", "query.py:8: invalid syntax"),
    ],
)
def test_file(old: str, new: str, reason: str, write: Write) -> None:
    assert refusal(write(EXAMPLE.replace(old, new, 1))).startswith(reason)


def test_no_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.py") == "none.py: No such file or directory"
