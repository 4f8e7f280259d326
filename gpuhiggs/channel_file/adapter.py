"""From a user's file to a kernel module: what :mod:`gpuhiggs.kernels.launch` asks for, around the user's functions.

A user's function takes what it names of ``event``, ``inputs``, ``cuts``, ``weight``, ``simulation``, ``variation`` and
``out``, in any order. What every channel has comes with the adapter: luminosity mask, filters and triggers, the
generator weight, and for a body that takes ``variation`` the tables of the variations and the weights of the event.
"""

from __future__ import annotations

from collections.abc import Mapping

PASSED = {
    "body": {
        "event": "event", "inputs": "inputs", "cuts": "cuts", "out": "out",
        "weight": "generator_weight(event, inputs, cuts)", "simulation": "cuts.dataset.simulation == 1",
        "variation": "variation",
    },
    "preselect": {
        "event": "event", "inputs": "inputs", "cuts": "cuts", "simulation": "cuts.dataset.simulation == 1",
        "reach": "cuts.dataset.reach",
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

GATES, gate = quality.STEPS, quality.gate
STEPS = tuple(getattr(own, "STEPS", ()))
HISTOGRAMS = own.Out._fields
OWN_WEIGHT = {own_weight}
{variations}

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
{plain}'''

_NO_VARIATIONS = """

class Tables(NamedTuple):
    lumi_mask: quality.LumiMask

"""

_VARIATIONS = """
from gpuhiggs.kernels.language import local
from gpuhiggs.kernels.lookup import Lookup
from gpuhiggs.kernels.own_variations import Variation
from gpuhiggs.kernels.shifts import Branches, Shifts
from gpuhiggs.kernels.weights import WEIGHTS, WeightTable, of_event

MOVES, WEIGHED = tuple(getattr(own, "MOVES", ())), tuple(getattr(own, "WEIGHED", ()))
COLLECTIONS = {objects}


class Tables(NamedTuple):
    lumi_mask: quality.LumiMask
    corrections: Lookup
    shifts: Shifts
    weights: WeightTable
    branches: Branches

"""

_VARIED_BODY = """ratios = local(WEIGHTS)
    weight = {weight} * of_event(event, shift, tables, ratios)
    variation = Variation(shift, tables, ratios)
    {call}"""

_BY_EVENT = """

is_plain = quality.is_plain
plain_body = inlined(getattr(own.body, "py_func", own.body))


@scalar
def plain_range(first, last, inputs, cuts, out):
    for event in range(first, last):
        if {preselect}:
            plain_body({arguments})
"""

_BY_OBJECT = """

from gpuhiggs.channel_file import flat  # noqa: E402

is_plain = quality.is_plain
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


def text(
    module: str,
    arguments: Mapping[str, list[str]],
    has_cuts: bool,
    collection: str | None = None,
    objects: Mapping[str, str] | None = None,
) -> str:
    """Return the text of the kernel module.

    Parameters
    ----------
    module
        The name of the user's module.
    arguments
        The names of the arguments of each function that it has.
    collection
        Whose objects are all that the body looks at, one by one; see :mod:`.flat`.
    objects
        The collections of classes of objects, by class: what variations move and weigh.
    """
    calls = {
        name: f"own.{name}({', '.join(PASSED[name][argument] for argument in names)})"
        for name, names in arguments.items()
    }
    own_weight = "generator_weight" in calls
    varied = "variation" in arguments["body"]
    body, plain = calls["body"], _BY_EVENT if collection is None else _BY_OBJECT
    if varied:
        weight = PASSED["body"]["weight"]
        body, plain = _VARIED_BODY.format(weight=weight, call=body.replace(weight, "weight")), ""
    return _TEXT.format(
        module=module,
        own_weight=own_weight,
        cuts="fields(own.Cuts)" if has_cuts else "{}",
        generator_weight=_OWN_WEIGHT.format(call=calls["generator_weight"]) if own_weight else _FILE_WEIGHT,
        preselect=calls.get("preselect", "True"),
        variations=_VARIATIONS.format(objects=dict(objects or {})) if varied else _NO_VARIATIONS,
        body=body,
        plain=plain.format(
            collection=collection,
            preselect=calls.get("preselect", "True"),
            arguments=", ".join(_PLAIN.get(one, one) for one in arguments["body"]),
        ),
    )
