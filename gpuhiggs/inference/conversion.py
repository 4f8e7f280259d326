"""``gpuhiggs convert``: a model from one format into another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from gpuhiggs.errors import InputError
from gpuhiggs.inference import combine
from gpuhiggs.inference.answer import write_json
from gpuhiggs.inference.inputs import load
from gpuhiggs.inference.layout import flatten
from gpuhiggs.inference.pyhf_json import pyhf_settings, to_pyhf

FORMATS = ("datacard", "pyhf", "workspace")


def convert(
    paths: Sequence[Path],
    output: Path,
    form: str | None = None,
    *,
    poi: Sequence[str] = (),
    mass: str | None = None,
    measurement: str | None = None,
    patch: str | None = None,
) -> list[str]:
    """Write a model in another format; return what was written and what its reader should know, in lines.

    Parameters
    ----------
    paths, poi, mass, measurement, patch
        As `inputs.load` takes them.
    output
        The file to write; a datacard has its templates beside it, as ``.root``.
    form
        One of `FORMATS`; None for a datacard if the file ends with ``.txt``, and for pyhf's JSON otherwise.

    Raises
    ------
    InputError
        The model cannot be read, has no form there, or the file cannot be written.
    """
    form = form or ("datacard" if output.suffix == ".txt" else "pyhf")
    if form not in FORMATS:
        msg = f"format {form!r}, expected one of {', '.join(FORMATS)}"
        raise InputError(msg)
    if not output.parent.is_dir():
        msg = f"{output}: cannot be written: no folder {output.parent}"
        raise InputError(msg)
    templates = output.with_suffix(".root")
    if form == "datacard" and templates.exists() and not output.exists():
        msg = f"{templates}: the card's templates would overwrite it; give the card another name"
        raise InputError(msg)
    workspace = load(paths, poi=poi, mass=mass, measurement=measurement, patch=patch)
    flatten(workspace)
    lines = [f"{form}: {output}"]
    try:
        if form == "datacard":
            lines.append(f"templates: {combine.write(workspace, output)}")
        elif form == "workspace":
            write_json(json.loads(workspace.model_dump_json()), output)
        else:
            write_json(to_pyhf(workspace), output)
            lines.append(f"read it in pyhf with workspace.model(modifier_settings={pyhf_settings(workspace)})")
    except OSError as error:
        msg = f"{output}: cannot be written: {error.strerror}"
        raise InputError(msg) from error
    return lines
