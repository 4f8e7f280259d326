"""Figures and numbers as files: PDF and PNG, JSON, CSV and HEPData's YAML, a stem for each figure or table."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import matplotlib.figure
import matplotlib.pyplot as plt
from PIL import Image

from ..errors import GpuhiggsError
from .figure import Figure, Section, Table
from .numbers import Numbers, to_csv, to_hepdata, to_json
from .run_folder import FIGURES, NUMBERS, write, write_text
from .style import style

DPI = 115
"""Of the PNG, in the page and beside it; what needs more takes the PDF."""

PALETTE = 64
"""Colours of a PNG: enough for a figure's own and the edges of its letters, and a third of the size."""

Drawn = dict[str, bytes | str]
"""By name of a figure, the PNG for the page, or the words why there is none."""


def write_all(sections: Sequence[Section], folder: Path) -> Drawn:
    """Write the files of every figure and table into *folder*; a figure that cannot be drawn leaves words."""
    for name in (FIGURES, NUMBERS):
        (folder / name).mkdir(parents=True, exist_ok=True)
    drawn: Drawn = {}
    names = Counter(block.name for section in sections for block in section.blocks if isinstance(block, Figure | Table))
    if twice := [name for name, n in names.items() if n > 1]:
        msg = f"figures and tables need names of their own; twice on this page: {', '.join(twice)}"
        raise ValueError(msg)
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Figure):
                write_numbers(block.numbers, block.name, block.caption, folder)
                drawn[block.name] = _draw(block, folder / FIGURES / block.name)
            elif isinstance(block, Table):
                write_numbers((block.numbers,), block.name, block.caption or block.title, folder)
    return drawn


def write_numbers(tables: Sequence[Numbers], name: str, description: str, folder: Path) -> None:
    """Write numbers in every format."""
    stem = folder / NUMBERS / name
    document = {"name": name, "description": description, "tables": to_json(tables)}
    write_text(stem.with_suffix(".json"), json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    write_text(stem.with_suffix(".csv"), to_csv(tables))
    write_text(stem.with_suffix(".yaml"), to_hepdata(tables, name, description))


def _draw(figure: Figure, stem: Path) -> bytes | str:
    """Draw a figure once and save it as PDF and PNG; return it small."""
    with style():
        try:
            canvas = figure.draw()
            if engine := canvas.get_layout_engine():
                engine.execute(canvas)  # once, not for each format
                canvas.set_layout_engine("none")
        except (
            ValueError,
            GpuhiggsError,
        ) as error:  # a label that is no LaTeX, a colour that is none, a fit that fails
            plt.close("all")
            return str(error).strip().splitlines()[-1]
        write(stem.with_suffix(".pdf"), lambda path: canvas.savefig(path))
        image = _png(canvas)
        plt.close(canvas)
    write(stem.with_suffix(".png"), lambda path: _put(path, image))
    return image


def _png(canvas: matplotlib.figure.Figure) -> bytes:
    """Return a PNG with few colours."""
    pixels = io.BytesIO()
    canvas.savefig(pixels, dpi=DPI, format="rgba")
    width, height = (int(size * DPI) for size in canvas.get_size_inches())
    image = Image.frombytes("RGBA", (width, height), pixels.getvalue()).convert("RGB")
    found = io.BytesIO()
    image.quantize(PALETTE, dither=Image.Dither.NONE).save(found, format="png", optimize=True)
    return found.getvalue()


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
