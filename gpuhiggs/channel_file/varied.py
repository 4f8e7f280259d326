"""What a file says of its variations, checked: objects that move, objects that weigh, and how its functions fill."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from ..kernels import histogram, kept, own_variations
from ..kernels.language import fields, is_tuple_type
from ..kernels.shifts import OBJECTS

COLLECTIONS = {"muon": "Muon", "electron": "Electron", "photon": "Photon", "jet": "Jet", "met": "MET"}
"""Where the objects of a class are, unless the file says more in ``OBJECTS``: the names of NanoAOD."""

ONCE = {
    histogram.fill: own_variations.fill_varied,
    histogram.fill_category: own_variations.fill_category_varied,
    histogram.fill_if: own_variations.fill_varied,
    histogram.passed: own_variations.passed_once,
    kept.keep: own_variations.keep_once,
}
"""What would be done again for every shift, and what is called instead in a file with variations."""


def objects(module: ModuleType) -> dict[str, str]:
    """Return the collection of each class of objects that a file has."""
    named = COLLECTIONS | dict(getattr(module, "OBJECTS", {}))
    return {name: collection for name, collection in named.items() if collection in module.Inputs._fields}


def instead(varied: bool) -> dict[Any, str]:
    """Return by function what is said of one that must not be called."""
    if not varied:
        return {}
    return {
        function: f"`{function.__name__}` would act once more for every shift: call {other.__name__}(…, variation)"
        for function, other in ONCE.items()
    }


def require(module: ModuleType, arguments: Mapping[str, list[str]], trees: Iterable[ast.Module]) -> None:
    """Check a file's MOVES, WEIGHED and OBJECTS.

    Parameters
    ----------
    arguments
        Of the functions that the file has, by name.
    trees
        Its text, and those of the modules beside it.

    Raises
    ------
    TypeError
        If a class of objects is unknown, is not read or is not looked at, or the functions do not take what they need.
    """
    declared = {name: tuple(getattr(module, name, ())) for name in ("MOVES", "WEIGHED")}
    if not any(declared.values()) and not hasattr(module, "OBJECTS"):
        return
    if "variation" not in arguments["body"]:
        msg = f"{' and '.join(name for name in declared if hasattr(module, name))}: body does not take `variation`"
        raise TypeError(msg)
    said = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for where, classes in (("OBJECTS", getattr(module, "OBJECTS", {})), *declared.items()):
        for name in classes:
            _require_class(module, where, name, said)
    if set(declared["MOVES"]) - {"met"} and "reach" not in arguments.get("preselect", ["reach"]):
        msg = (
            "preselect lacks `reach`: it sees events before anything is moved, so a threshold has to be asked of "
            "`pt[i] * reach.muon`, the most that a shift makes of it"
        )
        raise TypeError(msg)


def _require_class(module: ModuleType, where: str, name: str, said: set[str]) -> None:
    """Check one class of objects."""
    if name not in OBJECTS or (where == "WEIGHED" and name == "met"):
        known = OBJECTS[:-1] if where == "WEIGHED" else OBJECTS
        msg = f"{where}: {name!r} is no class of objects; known: {', '.join(known)}"
        raise TypeError(msg)
    collection = dict(getattr(module, "OBJECTS", {})).get(name, COLLECTIONS[name])
    columns = fields(module.Inputs).get(collection)
    if not is_tuple_type(columns):
        msg = f'{where}: {name}: Inputs has no {collection}; OBJECTS = {{"{name}": "…"}} names another collection'
        raise TypeError(msg)
    needed = ("pt", "phi") if name == "met" else ("offsets", "pt", "eta", "phi")
    if missing := [one for one in needed if one not in fields(columns)]:
        msg = f"{where}: {name}: {collection} lacks {', '.join(missing)}, which shifts and scale factors depend on"
        raise TypeError(msg)
    sign = "moved_met" if name == "met" else name.upper()
    if where != "OBJECTS" and sign not in said:
        msg = f"{where}: {name}: nothing in the file asks for {sign}, so a variation of it would change nothing"
        raise TypeError(msg)
