"""From a user's file to a kernel module: what :mod:`gpuhiggs.kernels.launch` asks for, around the user's functions.

A user's function takes what it names of ``event``, ``inputs``, ``cuts``, ``weight``, ``simulation`` and ``out``, in any
order. What every channel has comes with the adapter: luminosity mask, filters and triggers, the generator weight.
"""

from __future__ import annotations

PASSED = {
    "body": {
        "event": "event", "inputs": "inputs", "cuts": "cuts", "out": "out",
        "weight": "generator_weight(event, inputs, cuts)", "simulation": "cuts.dataset.simulation == 1",
    },
    "preselect": {
        "event": "event", "inputs": "inputs", "cuts": "cuts", "simulation": "cuts.dataset.simulation == 1"
    },
    "generator_weight": {"event": "event", "inputs": "inputs", "cuts": "cuts"},
}  # fmt: skip
"""What each of a user's functions may take, and what it is in the kernel."""

REQUIRED = ("body",)

RESERVED = {
    "Inputs": ("events",),
    "Cuts": ("dataset",),
    "Out": ("errors", "cutflow", "selected", "histograms"),
}
"""Names that the adapter adds to the user's NamedTuples."""

_TEXT = '''"""Made by gpuhiggs.channel_file: a kernel module around the functions of {module}."""

from typing import NamedTuple

import {module} as own
from gpuhiggs.kernels import fill as sums
from gpuhiggs.kernels import gate as quality
from gpuhiggs.kernels.histogram import Cutflow
from gpuhiggs.kernels.kept import Kept
from gpuhiggs.kernels.language import Int64, Sums, fields, inlined, scalar

GATES, gate, is_plain = quality.STEPS, quality.gate, quality.is_plain
STEPS = tuple(getattr(own, "STEPS", ()))
HISTOGRAMS = own.Out._fields
OWN_WEIGHT = {own_weight}


class Tables(NamedTuple):
    lumi_mask: quality.LumiMask


class NoneSelected(NamedTuple):
    n: Int64
    capacity: int
    event: Int64


Selected = Kept if hasattr(own, "Selected") else NoneSelected

Inputs = NamedTuple("Inputs", [("events", quality.Events), *fields(own.Inputs).items()])
Cuts = NamedTuple("Cuts", [("dataset", quality.Dataset), *({cuts}).items()])
Out = NamedTuple(
    "Out", [("errors", Sums), ("cutflow", Cutflow), *fields(own.Out).items(), ("selected", Selected)]
)


@scalar
def generator_weight(event, inputs, cuts):
    {generator_weight}


@scalar
def preselect(event, inputs, cuts):
    return {preselect}


@scalar
def body(event, shift, inputs, cuts, tables, out):
    {body}


{plain}
'''

_BY_EVENT = """plain_body = inlined(getattr(own.body, "py_func", own.body))


@scalar
def plain_range(first, last, inputs, cuts, out):
    for event in range(first, last):
        if {preselect}:
            plain_body({arguments})
"""

_BY_OBJECT = """from gpuhiggs.channel_file import flat  # noqa: E402

plain_body = inlined(flat.function(own))


@scalar
def plain_range(first, last, inputs, cuts, out):
    offsets = inputs.{collection}.offsets
    for event in range(offsets[first], offsets[last]):  # an object
        plain_body({arguments})
"""

_PLAIN = {"weight": "1.0", "simulation": "False"}
"""What a body is given for most data, where nothing else has to be asked of an event."""
_FILE_WEIGHT = "return quality.generator_weight(event, inputs, cuts)"
_OWN_WEIGHT = "return {call} * cuts.dataset.inverse_weight_unit if cuts.dataset.simulation == 1 else 1.0"


def text(module: str, arguments: dict[str, list[str]], has_cuts: bool, collection: str | None = None) -> str:
    """Return the text of the kernel module.

    Parameters
    ----------
    module
        The name of the user's module.
    arguments
        The names of the arguments of each function that it has.
    collection
        Whose objects are all that the body looks at, one by one; see :mod:`.flat`.
    """
    calls = {
        name: f"own.{name}({', '.join(PASSED[name][argument] for argument in names)})"
        for name, names in arguments.items()
    }
    own_weight = "generator_weight" in calls
    plain = _BY_EVENT if collection is None else _BY_OBJECT
    return _TEXT.format(
        module=module,
        own_weight=own_weight,
        cuts="fields(own.Cuts)" if has_cuts else "{}",
        generator_weight=_OWN_WEIGHT.format(call=calls["generator_weight"]) if own_weight else _FILE_WEIGHT,
        preselect=calls.get("preselect", "True"),
        body=calls["body"],
        plain=plain.format(
            collection=collection,
            preselect=calls.get("preselect", "True"),
            arguments=", ".join(_PLAIN.get(one, one) for one in arguments["body"]),
        ),
    )
