"""Bodies that are one loop over objects, made functions of one object: the same fills, or not done at all."""

from __future__ import annotations

import ast
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from gpuhiggs.channel_file import flat

OFFSETS = [0, 2, 2, 5, 6]
JETS = SimpleNamespace(offsets=OFFSETS, pt=[50.0, 20.0, 35.0, 45.0, 10.0, 80.0], eta=[0.1, 2.0, -1.0, 0.5, 0.0, 3.0])
INPUTS = SimpleNamespace(Jet=JETS, MET=SimpleNamespace(pt=[1.0, 2.0, 3.0, 4.0]))

SAME = {
    "plain": """
    for jet in each(inputs.Jet, event):
        fill(out, inputs.Jet.pt[jet], weight)""",
    "with another name, a condition and continue": """
    "What it does."
    jets = inputs.Jet
    for jet in each(jets, event):
        if jets.pt[jet] < cuts.pt_min:
            continue
        x = jets.pt[jet] * 2
        fill(out, x, weight)""",
    "with a loop of its own": """
    for jet in each(inputs.Jet, event):
        for k in range(3):
            if k == 1:
                continue
            if k == 2:
                break
            fill(out, inputs.Jet.pt[jet] + k, weight)""",
}
MORE = {
    "asks for the event": """
    for jet in each(inputs.Jet, event):
        fill(out, inputs.Jet.pt[jet] / inputs.MET.pt[event], weight)""",
    "counts": """
    n = 0
    for jet in each(inputs.Jet, event):
        n += 1
        fill(out, n, weight)""",
    "takes the first": """
    for jet in each(inputs.Jet, event):
        fill(out, inputs.Jet.pt[jet], weight)
        break""",
    "leaves": """
    for jet in each(inputs.Jet, event):
        if inputs.Jet.pt[jet] < 30.0:
            return
        fill(out, inputs.Jet.pt[jet], weight)""",
    "goes on behind the loop": """
    for jet in each(inputs.Jet, event):
        fill(out, inputs.Jet.pt[jet], weight)
    fill(out, 0.0, weight)""",
    "changes the weight": """
    for jet in each(inputs.Jet, event):
        weight = weight * 0.5
        fill(out, inputs.Jet.pt[jet], weight)""",
    "loops over something else": """
    for jet in range(event):
        fill(out, jet, weight)""",
}


def each(collection: Any, event: int) -> range:
    return range(collection.offsets[event], collection.offsets[event + 1])


def module(body: str) -> tuple[ast.Module, ModuleType]:
    text = f"def body(event, inputs, cuts, weight, out):{body}\n"
    found = ModuleType("own")
    found.__dict__.update(each=each, fill=lambda out, x, weight: out.append((x, weight)))
    exec(text, found.__dict__)
    return ast.parse(text), found


@pytest.mark.parametrize("what", SAME)
def test_same_fills(what: str) -> None:
    tree, own = module(SAME[what])
    flattened = flat.flattened(tree, own, each)
    assert flattened is not None
    assert flattened.collection == "Jet"
    cuts = SimpleNamespace(pt_min=30.0)
    by_event: list[Any] = []
    by_object: list[Any] = []
    for event in range(len(OFFSETS) - 1):
        own.body(event, INPUTS, cuts, 1.0, by_event)
    for jet in range(OFFSETS[-1]):
        flattened.function(jet, INPUTS, cuts, 1.0, by_object)
    assert by_object == by_event
    assert by_event


@pytest.mark.parametrize("what", MORE)
def test_more_than_a_loop(what: str) -> None:
    tree, own = module(MORE[what])
    assert flat.flattened(tree, own, each) is None
