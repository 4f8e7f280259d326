"""What a fit can be made of: the project's workspaces, pyhf's, Combine's datacards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gpuhiggs.errors import InputError
from gpuhiggs.inference import combine
from gpuhiggs.inference.layout import flatten
from gpuhiggs.inference.model import ParameterSetting, Workspace, load_workspace
from gpuhiggs.inference.parametric import declaration, to_workspace
from gpuhiggs.inference.parametric.choice import Spectra
from gpuhiggs.inference.pyhf_json import from_pyhf
from gpuhiggs.inference.pyhf_patch import patched


def load(
    paths: Sequence[Path],
    *,
    poi: Sequence[str] = (),
    mass: str | None = None,
    measurement: str | None = None,
    patch: str | None = None,
) -> Workspace:
    """Read a workspace, or datacards.

    Parameters
    ----------
    paths
        One JSON file, or datacards, each as it is or as ``NAME=CARD``.
    poi
        Parameters of interest; of datacards each may say what it scales: ``NAME=PATTERN,…``.
    mass
        What $MASS of a datacard stands for.
    measurement, patch
        Of a pyhf workspace; a patch is ``FILE`` or ``FILE:NAME``.

    Raises
    ------
    InputError
        A file cannot be used, or an option is not for this kind of it.
    """
    is_json = all(path.suffix == ".json" for path in paths)
    for option, value, is_used in (
        ("--mass", mass, not is_json), ("--measurement", measurement, is_json), ("--patch", patch, is_json),
    ):  # fmt: skip
        if value is not None and not is_used:
            msg = f"{option} {value}: {', '.join(map(str, paths))} {'is no datacard' if is_json else 'is a datacard'}"
            raise InputError(msg)
    if len(paths) == 1 and paths[0].suffix in (".yaml", ".yml"):
        return _peak(paths[0], poi)
    if not is_json:
        return _cards(paths, poi, mass)
    if len(paths) != 1:
        msg = f"{len(paths)} workspaces, expected one; datacards can be combined"
        raise InputError(msg)
    try:
        return _with_pois(_json(paths[0], measurement, patch), poi)
    except InputError as error:
        if str(paths[0]) in str(error) or (patch is not None and patch.partition(":")[0] in str(error)):
            raise
        msg = f"{paths[0]}: {error}"
        raise InputError(msg) from error


def frozen(workspace: Workspace, names: Sequence[str], settings: Mapping[str, float]) -> Workspace:
    """Return the workspace with parameters, patterns or groups fixed at their values.

    Raises
    ------
    InputError
        If one is unknown.
    """
    known = {setting.name: setting for setting in workspace.parameters}
    for name in flatten(workspace).select(names):
        old = known.get(name, ParameterSetting(name=name))
        known[name] = old.model_copy(update={"fixed": True, "initial": settings.get(name, old.initial)})
    return workspace.model_copy(update={"parameters": tuple(known.values())})


def _cards(paths: Sequence[Path], poi: Sequence[str], mass: str | None) -> Workspace:
    signals = {}
    for text in poi:
        name, _, patterns = text.partition("=")
        if patterns:
            signals[name] = patterns.split(",")
    cards, labels = [], []
    for path in paths:
        label, sign, card = str(path).partition("=")
        is_labelled = bool(sign) and not path.exists()
        cards.append(Path(card) if is_labelled else path)
        labels.append(label if is_labelled else "")
    pois = [text.partition("=")[0] for text in poi] or ["r"]
    return combine.read(*cards, pois=pois, signals=signals, mass=mass, labels=labels)


def _peak(path: Path, poi: Sequence[str]) -> Workspace:
    """Return a peak on a smooth background as fine-binned templates, with the functions that fit best."""
    model = declaration.read(path)
    spectra = Spectra(model.categories, model.candidates, model.nuisances, model.config.mass)
    best = spectra.choose(fixed={"mass": model.config.mass})
    return _with_pois(to_workspace(spectra.model(best.functions), best.fit), poi)


def _json(path: Path, measurement: str | None, patch: str | None) -> Workspace:
    spec = _object(path)
    if "format" in spec:
        if measurement is not None or patch is not None:
            msg = f"{path}: --measurement and --patch are for a pyhf workspace"
            raise InputError(msg)
        return load_workspace(path)
    if patch is not None:
        file, _, name = patch.partition(":")
        try:
            content = json.loads(Path(file).read_text())
        except (OSError, ValueError) as error:
            msg = f"{file}: cannot be read as a patch: {error}"
            raise InputError(msg) from error
        try:
            spec = patched(spec, content, name or None)
        except InputError as error:
            msg = f"{file}: {error}"
            raise InputError(msg) from error
    try:
        return from_pyhf(spec, measurement)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        msg = f"{path}: not a pyhf workspace: {'; '.join(lines)}"
        raise InputError(msg) from error
    except (InputError, TypeError, AttributeError, IndexError) as error:
        msg = f"{path}: {error}" if isinstance(error, InputError) else f"{path}: not a pyhf workspace: {error}"
        raise InputError(msg) from error


def _object(path: Path) -> dict[str, Any]:
    try:
        spec = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read as JSON: {error}"
        raise InputError(msg) from error
    if not isinstance(spec, dict):
        msg = f"{path}: a JSON {type(spec).__name__}, expected a workspace"
        raise InputError(msg)
    return spec


def _with_pois(workspace: Workspace, pois: Sequence[str]) -> Workspace:
    if not pois:
        return workspace
    return Workspace.model_validate({**workspace.model_dump(), "poi": pois[0], "pois": tuple(pois[1:])})
