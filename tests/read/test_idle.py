"""Files that stay open: the same file object comes back, unless the file has changed or another one is in use."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gpuhiggs.errors import FileError
from gpuhiggs.read import opened
from gpuhiggs.read.idle import close_idle

TREES = ("Events",)


@pytest.fixture(autouse=True)
def _nothing_idle() -> Iterator[None]:
    close_idle()
    yield
    close_idle()


@pytest.fixture
def make(
    tmp_path: Path, four_muon_events: Callable[..., Any], write_nanoaod: Callable[..., Path]
) -> Callable[[str, int], str]:
    return lambda name, n: str(write_nanoaod(tmp_path / name, four_muon_events(n)))


def test_a_file_is_taken_up_again(make: Callable[[str, int], str]) -> None:
    path = make("a.root", 3)
    with opened(path, TREES) as first:
        assert first.entries == 3
        with opened(path, TREES) as other:
            assert other is not first
    with opened(path, TREES) as second:
        assert second is first
        assert second.entries == 3


def test_a_changed_file_is_opened_anew(make: Callable[[str, int], str]) -> None:
    path = make("a.root", 3)
    with opened(path, TREES) as events:
        assert events.entries == 3
    make("a.root", 5)
    with opened(path, TREES) as events:
        assert events.entries == 5
    os.remove(path)
    with pytest.raises(FileError, match="no such file"), opened(path, TREES):
        pass


def test_few_files_stay_open_and_none_after_an_error(make: Callable[[str, int], str]) -> None:
    paths = [make(f"{name}.root", 2) for name in "abcd"]
    files = []
    for path in paths:
        with opened(path, TREES) as events:
            files.append(events)
    assert [file.closed for file in files] == [True, True, False, False]
    with pytest.raises(ZeroDivisionError), opened(paths[-1], TREES) as events:
        raise ZeroDivisionError
    assert files[-1].closed
    with opened(paths[-1], TREES) as events:
        assert events is not files[-1]
