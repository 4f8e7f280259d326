"""A channel in one Python file of the user's own: loaded, checked, and given the form of a kernel module.

``load`` reads the file as it is now. A :class:`ChannelFile` is named ``PATH@DIGEST``: with this name in its
configuration a run cannot mix two versions of a file, on whichever worker it goes on.
"""

from __future__ import annotations

import ast
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from ..errors import ConfigError
from ..kernels import launch
from ..kernels.histogram import Axis, Histogram
from ..kernels.language import each, fields, is_scalar, is_tuple_type, leaf_kind
from . import adapter, check, flat, importing, varied

_loaded: dict[str, ChannelFile] = {}


class ChannelFile(NamedTuple):
    """A user's file, checked."""

    path: Path
    digest: str
    """Of the file and the modules beside it."""
    module: ModuleType
    program: launch.Program
    texts: dict[str, str]
    """The file as ``""``, and the modules of its folder that it imports."""

    @property
    def name(self) -> str:
        """What a configuration calls it."""
        return f"{self.path}@{self.digest}"

    def setting(self, name: str, default: Any) -> Any:
        """Return an optional setting of the file, such as ``TREE``."""
        return getattr(self.module, name, default)

    def axes(self) -> dict[str, Axis]:
        """Return the histograms that it fills."""
        return dict(self.module.Out._field_defaults)

    def selection(self) -> dict[str, Any]:
        """Return the selection that its own defaults make, as a configuration has it."""
        summary = (inspect.getdoc(self.module) or self.path.name).splitlines()[0]
        return {
            "channel": self.name,
            "schema": self.setting("SCHEMA", "branches"),
            "reference": summary,
            "cuts": _defaults(self.module.Cuts) if hasattr(self.module, "Cuts") else {},
            "histograms": {name: _axis(name, axis) for name, axis in self.axes().items()},
            "triggers": {name: list(paths) for name, paths in self.setting("TRIGGERS", {}).items()},
            "filters": list(self.setting("FILTERS", ())),
        }


def _defaults(cuts: type) -> dict[str, Any]:
    """Return the cuts that have a value in the file; the configuration must give the others."""
    given = cuts._field_defaults  # type: ignore[attr-defined]
    found: dict[str, Any] = {}
    for name, hint in fields(cuts).items():
        if is_tuple_type(hint):
            found[name] = given[name]._asdict() if name in given else _defaults(hint)
        elif name in given:
            found[name] = given[name]
    return found


def _axis(name: str, axis: Axis) -> dict[str, Any]:
    binning = {"edges": list(axis.edges)} if axis.edges else {"bins": axis.bins, "low": axis.low, "high": axis.high}
    return {"label": axis.label or name, **binning}


def is_file(channel: str) -> bool:
    """Whether the name of a channel is that of a file."""
    return (channel.rpartition("@")[0] or channel).endswith(".py")


def find(name: str) -> ChannelFile:
    """Return the version of a file that a configuration names.

    Raises
    ------
    ConfigError
        If the file has changed since.
    """
    with importing.importing:
        if name in _loaded:
            return _loaded[name]
        path, at, digest = name.rpartition("@")
        found = load(Path(path if at else name))
        if at and found.digest != digest:
            msg = f"{path} has changed since this configuration was made of it ({digest}; now {found.digest})"
            raise ConfigError(msg)
        return found


def load(path: Path) -> ChannelFile:
    """Load a file as it is now.

    Raises
    ------
    ConfigError
        If it cannot be imported, lacks a part, or a function of one event is no such thing; the message has the line.
    """
    path = path.resolve()
    with importing.beside(path.parent):
        texts = importing.local_sources(path)
        digest = importing.digest(texts)
        known = _loaded.get(f"{path}@{digest}")
        if known is not None:
            return known
        stem = "".join(letter if letter.isalnum() else "_" for letter in path.stem)
        module = importing.fresh(path, f"gpuhiggs_file_{stem}_{digest}", texts)
        _require_parts(path, module, texts)
        _require_language(path, module, texts)
        arguments = {name: _arguments(module, name) for name in _functions(module)}
        flattened = flat.flattened(ast.parse(texts[""]), module, each)
        collection = None if flattened is None else flattened.collection
        objects = varied.objects(module)
        text = adapter.text(module.__name__, arguments, hasattr(module, "Cuts"), collection, objects)
        kernel = importing.in_memory(f"gpuhiggs_channel_{stem}_{digest}", text)
        program = launch.Program(kernel.__name__)
        launch.source_hash(program)  # now, while the folder is on the path
    found = ChannelFile(path, digest, module, program, texts)
    _loaded[found.name] = found
    return found


def _functions(module: ModuleType) -> list[str]:
    return [name for name in adapter.PASSED if hasattr(module, name)]


def _arguments(module: ModuleType, name: str) -> list[str]:
    function = getattr(module, name)
    return list(inspect.signature(getattr(function, "py_func", function)).parameters)


def _require_parts(path: Path, module: ModuleType, texts: dict[str, str]) -> None:
    """Refuse a file that is no channel, with what it lacks."""
    for name, wanted in (("Inputs", "what is read"), ("Out", "what is filled")):
        if not is_tuple_type(getattr(module, name, None)):
            msg = f"{path}: no {name}: a channel says in `class {name}(NamedTuple)` {wanted}"
            raise ConfigError(msg)
    try:
        _require_floats(getattr(module, "Selected", None))
        for name in adapter.RESERVED:
            tuple_type: Any = getattr(module, name, None)
            for field, hint in fields(tuple_type).items() if is_tuple_type(tuple_type) else ():
                _require_field(name, field, hint, tuple_type._field_defaults)
    except (TypeError, NameError) as error:
        msg = f"{path}: {error}"
        raise ConfigError(msg) from error
    for name in adapter.REQUIRED:
        if not callable(getattr(module, name, None)):
            msg = f"{path}: no {name}: a channel has a function `{name}(event, inputs, weight, out)` of one event"
            raise ConfigError(msg)
    for name in _functions(module):
        if wrong := [one for one in _arguments(module, name) if one not in adapter.PASSED[name]]:
            line = _line(texts[""], name)
            known = ", ".join(adapter.PASSED[name])
            msg = f"{path}:{line}: {name} takes {', '.join(wrong)}; there is {known}"
            raise ConfigError(msg)
    try:
        taken = {name: _arguments(module, name) for name in _functions(module)}
        varied.require(module, taken, map(ast.parse, texts.values()))
    except TypeError as error:
        msg = f"{path}: {error}"
        raise ConfigError(msg) from error


def _require_floats(selected: Any) -> None:
    """Check what is kept of selected events."""
    if selected is None:
        return
    if not is_tuple_type(selected) or not selected._fields or set(fields(selected).values()) != {float}:
        msg = "Selected: expected a NamedTuple of floats, which `keep(out, event, weight, Selected(…))` keeps"
        raise TypeError(msg)
    if taken := {"event", "entry", "weight", "run", "luminosity_block"} & set(selected._fields):
        msg = f"Selected.{taken.pop()}: the name is taken; it comes with every event"
        raise TypeError(msg)


def _require_field(name: str, field: str, hint: Any, defaults: dict[str, Any]) -> None:
    """Check one field of a NamedTuple of the user's."""
    reserved = adapter.RESERVED[name]
    if field in reserved:
        msg = f"{name}.{field}: the name is taken; it has {', '.join(reserved)} already"
        raise TypeError(msg)
    if name == "Inputs":
        if not is_tuple_type(hint):
            msg = f"Inputs.{field}: expected a collection, which is a NamedTuple of columns"
            raise TypeError(msg)
        for one in fields(hint).values():
            leaf_kind(one)
    elif name == "Out" and (hint is not Histogram or not isinstance(defaults.get(field), Axis)):
        msg = f"Out.{field}: expected `{field}: Histogram = regular(bins, low, high)` or `variable(edges)`"
        raise TypeError(msg)


def _require_language(path: Path, module: ModuleType, texts: dict[str, str]) -> None:
    """Refuse functions that use what is not part of the language."""
    text = texts[""]
    arguments = {"inputs": module.Inputs, "out": module.Out}
    if hasattr(module, "Cuts"):
        arguments["cuts"] = module.Cuts
    instead = varied.instead("variation" in _arguments(module, "body"))
    wrong = [
        f"{path}:{_line(text, name)}: {name} lacks the mark @scalar"
        for name in _functions(module)
        if not is_scalar(getattr(module, name))
    ]
    for name, source in texts.items():
        one = module if not name else sys.modules.get(name)
        if one is not None:
            found = check.problems(ast.parse(source), one, arguments if one is module else {}, instead)
            wrong.extend(f"{one.__file__}:{line}: {reason}" for line, reason in found)
    if wrong:
        raise ConfigError("\n".join(wrong))


def _line(text: str, name: str) -> int:
    """Return the line on which a function begins."""
    return next((node.lineno for node in ast.parse(text).body if getattr(node, "name", None) == name), 1)
