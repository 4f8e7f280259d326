"""Every page of the documentation, worked through as it stands, and its links."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
import yaml

from tests.docs.pages import CHECKOUT, Block, blocks, pages, unprinted

PAGES = pages()
IDS = [page.relative_to(CHECKOUT).as_posix() for page in PAGES]
NOTEBOOKS = sorted((CHECKOUT / "docs").glob("*.ipynb"))


def test_a_block_is_read_with_its_mark() -> None:
    text = "# T\n\n<!-- file: a.yaml -->\n```yaml\na: 1\n```\n\n```sh\nls\n```\n"
    text += "<!-- not run: no network -->\n\n  ```sh\n  x\n  ```\n"
    assert blocks(text) == [
        Block(4, "yaml", "file", "a.yaml", "a: 1\n"),
        Block(8, "sh", "", "", "ls\n"),
        Block(13, "sh", "not run", "no network", "x\n"),
    ]


def test_output_is_compared_line_by_line() -> None:
    printed = "mu = 1.14\n  total   5 events\nReport: out/report.html\n"
    assert not unprinted("mu = …\nReport: out/report.html", printed)
    assert not unprinted("total 5 events\n…", printed)
    assert unprinted("Report: out/report.html\nmu = …", printed) == "mu = …"  # the other way round
    assert unprinted("mu = 1.15", printed) == "mu = 1.15"


def _work_through(page: Path, folder: Path) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = ""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "120"}
    for block in blocks(page.read_text(encoding="utf-8")):
        where = f"{page.name}:{block.line}"
        if block.mark == "not run":
            assert block.of, f"{where}: not run, but why not?"
        elif block.mark == "file":
            (folder / block.of).write_text(block.text, encoding="utf-8")
        elif block.mark == "output":
            assert not (lost := unprinted(block.text, printed)), f"{where}: {lost!r} is not in\n{printed}"
        elif block.language == "sh":
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block.text],
                cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=240,
            )  # fmt: skip
            printed = done.stdout + done.stderr
            assert done.returncode == 0, f"{where}:\n{block.text}\n{printed}"
        elif block.language == "python":
            exec(compile("\n" * block.line + block.text, str(page), "exec"), names)
        elif block.language == "yaml":
            assert yaml.safe_load(block.text), f"{where}: says nothing"
        else:
            assert block.language in ("text", "json"), f"{where}: ```{block.language}: what is to be done with it?"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_a_page_works_as_written(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    _work_through(page, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), target
    for anchor in re.findall(r"\]\(#([^)\s]+)\)", text):
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}, anchor


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=[path.name for path in NOTEBOOKS])
def test_a_notebook_runs_as_written(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cell by cell as Jupyter would; what a last line shows is made, too."""
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 5
    for i, cell in enumerate(cells):
        assert not cell["outputs"], f"cell {i}: kept with its output; clear it before it is committed"
        *statements, last = ast.parse("".join(cell["source"])).body
        exec(compile(ast.Module(statements, []), f"{notebook.name}, cell {i}", "exec"), names)
        if isinstance(last, ast.Expr):
            assert repr(eval(compile(ast.Expression(last.value), f"{notebook.name}, cell {i}", "eval"), names))
        else:
            exec(compile(ast.Module([last], []), f"{notebook.name}, cell {i}", "exec"), names)
