"""The parts of a report: in this process and in others, in order, and with their errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

from gpuhiggs.errors import InputError
from gpuhiggs.report.figure import Figure, Missing, Picture, Section
from gpuhiggs.report.parts import Part, drawn


def a_section(name: str) -> list[Section]:
    def draw() -> Any:
        figure, axes = plt.subplots(figsize=(2, 2))
        axes.plot([0, 1])
        return figure

    return [Section(name, str(os.getpid()), [Figure(name, name, "A line.", draw, ())])]


def no_label(name: str) -> list[Section]:
    def draw() -> Any:
        figure, axes = plt.subplots(figsize=(2, 2))
        axes.set_xlabel("$\\no_such_symbol$")
        return figure

    return [Section(name, name, [Figure(name, "A title", "A line.", draw, ())])]


def refused(name: str) -> list[Section]:
    raise InputError(name)


def test_parts_in_two_processes_are_in_order(tmp_path: Path) -> None:
    names = ["one", "two", "three"]
    found = drawn([Part(a_section, (name,)) for name in names], tmp_path, workers=2)
    assert [section.name for section in found] == names
    assert found[-1].title == str(os.getpid()) != found[0].title
    assert all(isinstance(block, Picture) for section in found for block in section.blocks)
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        f"{n}.{s}" for n in names for s in ("pdf", "png")
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_error_of_a_part_is_that_of_the_report(tmp_path: Path, workers: int) -> None:
    with pytest.raises(InputError, match="not this one"):
        drawn([Part(refused, ("not this one",)), Part(a_section, ("one",))], tmp_path, workers)


def test_figure_that_cannot_be_drawn_leaves_words(tmp_path: Path) -> None:
    ((block,),) = [section.blocks for section in drawn([Part(no_label, ("a",))], tmp_path, 1)]
    assert isinstance(block, Missing)
    assert "could not be drawn" in block.reason
    assert not list((tmp_path / "figures").iterdir())
