"""Figures and numbers as files: PDF and PNG, JSON, CSV and HEPData's YAML, a stem for each figure or table."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from ..errors import GpuhiggsError
from .figure import Block, Figure, Missing, Picture, Section, Table
from .numbers import Numbers, to_csv, to_hepdata, to_json
from .run_folder import FIGURES, NUMBERS, write, write_text
from .style import style

PALETTE = 64
"""Colours of a PNG: enough for a figure's own and the edges of its letters, and a third of the size."""


def write_all(sections: Sequence[Section], folder: Path) -> list[Section]:
    """Write the files of every figure and table into *folder*; return the sections with pictures for the figures.

    A figure that cannot be drawn leaves words.
    """
    for name in (FIGURES, NUMBERS):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return [replace(section, blocks=[_written(block, folder) for block in section.blocks]) for section in sections]


def _written(block: Block, folder: Path) -> Block:
    if isinstance(block, Table):
        write_numbers((block.numbers,), block.name, block.caption or block.title, folder)
    if not isinstance(block, Figure):
        return block
    write_numbers(block.numbers, block.name, block.caption, folder)
    try:
        image = _draw(block, folder / FIGURES / block.name)
    except (ValueError, GpuhiggsError) as error:  # a label that is no LaTeX, a colour that is none, a fit that fails
        return Missing(block.title, f"The figure could not be drawn: {str(error).strip().splitlines()[-1]}")
    return Picture(block.name, block.title, block.caption, image, block.wide)


def write_numbers(tables: Sequence[Numbers], name: str, description: str, folder: Path) -> None:
    """Write numbers in every format."""
    stem = folder / NUMBERS / name
    document = {"name": name, "description": description, "tables": to_json(tables)}
    write_text(stem.with_suffix(".json"), json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    write_text(stem.with_suffix(".csv"), to_csv(tables))
    write_text(stem.with_suffix(".yaml"), to_hepdata(tables, name, description))


def _draw(figure: Figure, stem: Path) -> bytes:
    """Draw a figure once and save it as PDF and PNG; return the PNG."""
    with style():
        try:
            canvas = figure.draw()
            if engine := canvas.get_layout_engine():
                engine.execute(canvas)  # once, not for each format
                canvas.set_layout_engine("none")
            write(stem.with_suffix(".pdf"), lambda path: canvas.savefig(path))
            image = _png(canvas)
        finally:
            plt.close("all")
    write(stem.with_suffix(".png"), lambda path: _put(path, image))
    return image


def _png(canvas: matplotlib.figure.Figure) -> bytes:
    """Return a PNG with few colours."""
    agg: Any = FigureCanvasAgg(canvas)
    agg.draw()
    image = Image.fromarray(np.asarray(agg.buffer_rgba())).convert("RGB")
    found = io.BytesIO()
    image.quantize(PALETTE, dither=Image.Dither.NONE).save(found, format="png", optimize=True)
    return found.getvalue()


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
