"""Fixtures that every test may use.

``GPUHIGGS_SHARED`` names a folder with real event files, correction files and statistical problems; where it is unset,
a folder ``shared`` beside the checkout is taken, and tests that need it are skipped where there is none.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real files, or a skip that says why."""
    folder = Path(os.environ.get("GPUHIGGS_SHARED", _BESIDE))
    if not (folder / "data").is_dir():
        pytest.skip(f"no real files: {folder / 'data'} is absent; set GPUHIGGS_SHARED")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _kernel_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compile kernels once a checkout, not into the user's own cache."""
    os.environ.setdefault("GPUHIGGS_CACHE", str(Path(__file__).resolve().parents[1] / ".pytest_cache" / "gpuhiggs"))
