"""The examples that ``gpuhiggs examples`` lists and copies."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpuhiggs import examples
from gpuhiggs.commands import surroundings as command
from gpuhiggs.errors import InputError


def test_every_example_is_listed_with_words() -> None:
    titles = examples.titles()
    folder = Path(examples.__file__).parent
    assert set(titles) == {path.name for path in folder.iterdir() if path.is_file()} - {"__init__.py"}
    assert all(len(title) > 20 for title in titles.values())


def test_an_example_is_copied_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command.examples("dimuon.py")
    copied = tmp_path / "dimuon.py"
    assert copied.read_text() == (Path(examples.__file__).parent / "dimuon.py").read_text()
    copied.write_text("mine")
    with pytest.raises(InputError, match=r"dimuon\.py: cannot be written: File exists"):
        command.examples("dimuon.py")
    assert copied.read_text() == "mine"


def test_an_unknown_example_is_refused_with_the_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no example 'dimoun\.py'; there are atlas-hgg\.yaml, .*dimuon\.py"):
        examples.copy("dimoun.py", tmp_path)
    with pytest.raises(InputError, match="no example"):
        examples.copy("__init__.py", tmp_path)
