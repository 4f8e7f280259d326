"""The page: sections as one HTML file that needs nothing beside itself; links lead to the files beside it."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from importlib import resources
from itertools import count
from pathlib import Path
from typing import NamedTuple

from .figure import Missing, Picture, Section, Table, Words
from .files import write_all
from .numbers import shown
from .run_folder import FIGURES, NUMBERS, REPORT, write_text

NUMBER_FORMATS = (("JSON", "json"), ("CSV", "csv"), ("HEPData YAML", "yaml"))


NARROW = 4
"""Columns of a table that stands beside a figure."""


class Head(NamedTuple):
    """What stands above everything."""

    title: str
    subtitle: str
    answers: Sequence[str] = ()
    """The results, a line each."""


def publish(folder: Path, head: Head, sections: Sequence[Section]) -> Path:
    """Write the page and the files that it links to into *folder*, the page last; return its path."""
    return write(folder, head, write_all(sections, folder))


def write(folder: Path, head: Head, sections: Sequence[Section]) -> Path:
    """Write the page alone, whose figures are drawn; return its path."""
    write_text(folder / REPORT, page(head, sections))
    return folder / REPORT


def page(head: Head, sections: Sequence[Section]) -> str:
    """Return the page of sections whose figures are drawn."""
    names = Counter(b.name for section in sections for b in section.blocks if isinstance(b, Picture | Table))
    if twice := [name for name, n in names.items() if n > 1]:
        msg = f"figures and tables need names of their own; twice on this page: {', '.join(twice)}"
        raise ValueError(msg)
    sections = [section for section in sections if section.blocks]
    style = resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    figures, tables = count(1), count(1)
    body = "\n".join("".join(_section(section, figures, tables)) for section in sections)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(head.title)}</title>\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<style>\n{style}</style></head>\n"
        f'<body><a class="skip" href="#content">To the content</a><div class="layout">\n{_header(head)}\n'
        f'{_navigation(sections)}\n<main id="content">\n{body}\n</main>\n</div></body>'
        "</html>\n"
    )


def _header(head: Head) -> str:
    answers = "".join(f'<p class="answer">{escape(answer)}</p>' for answer in head.answers)
    return f'<header><h1>{escape(head.title)}</h1><p class="soft">{escape(head.subtitle)}</p>{answers}</header>'


def _navigation(sections: Sequence[Section]) -> str:
    items, group = [], ""
    for section in sections:
        if section.group != group:
            group = section.group
            items.append(f'<li class="group">{escape(group)}</li>')
        items.append(f'<li><a href="#{section.name}">{escape(section.title)}</a></li>')
    return (
        f'<nav aria-label="Contents"><details open><summary>Contents</summary><ol>{"".join(items)}</ol></details></nav>'
    )


def _section(section: Section, figures: Iterator[int], tables: Iterator[int]) -> Iterator[str]:
    title = f"{section.group}: {section.title}" if section.group else section.title
    yield f'<section id="{section.name}"><h2>{escape(title)}</h2>'
    if section.lead:
        yield f"<p>{escape(section.lead)}</p>"
    yield '<div class="blocks">'
    for block in section.blocks:
        match block:
            case Picture():
                yield _figure(block, next(figures))
            case Table():
                yield _table(block, next(tables))
            case Missing():
                yield _note(f"Not here: {block.title}", (block.reason,), "missing")
            case Words():
                yield _note(block.title, block.lines, block.tone)
    yield "</div></section>\n"


def _figure(figure: Picture, number: int) -> str:
    stem = f"{FIGURES}/{figure.name}"
    data = base64.b64encode(figure.image).decode()
    kind, alt = ' class="full"' if figure.wide else "", escape(figure.title)
    return (
        f'<figure id="figure-{figure.name}"{kind}><a href="{stem}.png"><img alt="{alt}" '
        f'src="data:image/png;base64,{data}"></a>'
        f"<figcaption><strong>Figure {number}. {escape(figure.title)}.</strong> {escape(figure.caption)}"
        f"</figcaption>{_links(figure.name, ((f'{FIGURES}/', 'PDF', 'pdf'), (f'{FIGURES}/', 'PNG', 'png')))}</figure>"
    )


def _links(name: str, before: Sequence[tuple[str, str, str]] = ()) -> str:
    kinds = [*before, *((f"{NUMBERS}/", label, suffix) for label, suffix in NUMBER_FORMATS)]
    anchors = "".join(f'<a href="{folder}{name}.{suffix}">{label}</a>' for folder, label, suffix in kinds)
    return f'<p class="links">{anchors}</p>'


def _table(table: Table, number: int) -> str:
    caption = f"<strong>Table {number}. {escape(table.title)}.</strong> {escape(table.caption)}"
    kind = ' class="full"' if len(table.numbers.columns) > NARROW else ""
    return (
        f'<div{kind} id="table-{table.name}"><p class="caption" id="caption-{table.name}">{caption}</p>'
        f'<div class="scroll" role="region" tabindex="0" aria-labelledby="caption-{table.name}">'
        f"{_grid(table)}</div>{_links(table.name)}</div>"
    )


def _grid(table: Table) -> str:
    columns = table.numbers.columns
    kinds = [
        ' class="text"' if k and all(isinstance(value, str | None) for value in column.values) else ""
        for k, column in enumerate(columns)
    ]
    head = "".join(
        f'<th scope="col"{kind}>{escape(column.header)}</th>' for kind, column in zip(kinds, columns, strict=True)
    )
    rows = []
    for place, cells in enumerate(zip(*(shown(column) for column in columns), strict=True)):
        row = "".join(f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, cells, strict=True))
        rows.append(f"<tr{' class=marked' if place in table.marked else ''}>{row}</tr>")
    return (
        f'<table aria-labelledby="caption-{table.name}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _note(title: str, lines: Sequence[str], tone: str) -> str:
    head = f"<h3>{escape(title)}</h3>" if title else ""
    if len(lines) == 1:
        text = f"<p>{escape(lines[0])}</p>"
    else:
        text = f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"
    return f'<div class="note full {tone}">{head}{text}</div>'
