"""The documentation as a reader would work through it: its files written, its commands and its Python run, in order.

A fenced block is run in a folder of the page's own if it is ``sh`` or ``python``. A comment before it says otherwise:
``<!-- file: NAME -->`` (its text is that file), ``<!-- output -->`` (the command before must have printed these lines;
``…`` stands for any text, or for any lines), ``<!-- not run: REASON -->``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(
    r"(?:^[ ]*<!-- (?P<mark>file|output|not run)(?:: (?P<of>[^\n]+?))? -->\n\s*)?"
    r"^(?P<indent>[ ]*)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A fenced block of a page."""

    line: int
    language: str
    mark: str
    """``file``, ``output``, ``not run``, or nothing."""
    of: str
    """What the mark says: a file's name, a reason."""
    text: str


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    found = []
    for match in _BLOCK.finditer(text):
        indent = len(match["indent"])
        lines = "".join(line[indent:] if line.strip() else line for line in match["text"].splitlines(keepends=True))
        line = text.count("\n", 0, match.start("language")) + 1
        found.append(Block(line, match["language"], match["mark"] or "", match["of"] or "", lines))
    return found


def pages() -> list[Path]:
    """Return all pages with blocks to be run."""
    return [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]


def unprinted(expected: str, printed: str) -> str:
    """Return the first of the *expected* lines that was not *printed* where it should be, or nothing."""
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    place = 0
    for line in (" ".join(line.split()) for line in expected.splitlines() if line.strip()):
        if line == "…":
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in line.split("…")))
        place = next((i + 1 for i in range(place, len(lines)) if pattern.fullmatch(lines[i])), 0)
        if not place:
            return line
    return ""
