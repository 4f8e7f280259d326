"""Lists of files: what ``files`` of a dataset may say, and the paths it stands for.

* a path or URL; a pattern (``*``, ``?``, ``[…]``); a folder, whose ROOT and Parquet files are taken;
* a text file (``.txt``): a path or URL a line, such as ``dasgoclient -query="file dataset=…"`` prints; of a line of
  ``rucio list-file-replicas`` the URL is taken; ``#`` begins a comment;
* a fileset (``.json``) of coffea: ``fileset.json#name`` takes one of its datasets.

Logical names of CMS (``/store/…``) stay as they are: ``redirectors`` of the configuration say where to ask for them.
"""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import ConfigError

LOGICAL = "/store/"
"""How logical file names of CMS begin."""
SUFFIXES = (".root", ".parquet")
_URL = re.compile(r"\w+://[^\s|]+")


def expand(entries: list[str], folder: Path) -> list[str]:
    """Return the files that entries stand for, in order; relative paths are relative to *folder*.

    Raises
    ------
    ConfigError
        If a pattern, folder or list has no file, a list cannot be read, or a variable in a path is not set.
    """
    return [path for entry in entries for path in _expand_one(entry, folder)]


def absolute(entry: str, folder: Path) -> str:
    """Return a path with its variables replaced; URLs and logical names stay as they are.

    Raises
    ------
    ConfigError
        If a variable is not set.
    """
    expanded = os.path.expandvars(os.path.expanduser(entry))
    if unset := re.search(r"\$\{?(\w+)", expanded):
        msg = f"{entry}: the environment variable {unset.group(1)} is not set"
        raise ConfigError(msg)
    return expanded if "://" in expanded else str(folder.resolve() / expanded)


def _expand_one(entry: str, folder: Path) -> list[str]:
    path = absolute(entry, folder)
    if "://" in path or path.startswith(LOGICAL):
        return [path]
    file, _, name = path.partition("#")
    if file.endswith(".json"):
        return _fileset(Path(file), name)
    if path.endswith(".txt"):
        return _some(path, "no file is listed", list(_lines(Path(path))))
    if os.path.isdir(path):
        inside = sorted(str(found) for found in Path(path).iterdir() if found.suffix in SUFFIXES)
        return _some(path, f"no file {' or '.join('*' + suffix for suffix in SUFFIXES)} in it", inside)
    if glob.has_magic(path):
        return _some(path, "no file matches", sorted(glob.glob(path)))
    return [path]


def _some(path: str, otherwise: str, files: list[str]) -> list[str]:
    if not files:
        msg = f"{path}: {otherwise}"
        raise ConfigError(msg)
    return files


def _lines(path: Path) -> Iterator[str]:
    for line in _text(path).splitlines():
        text = line.partition("#")[0].strip()
        if url := _URL.search(text):
            yield url.group()
        elif text and not set(text) <= set("+-|= ") and not text.startswith("|"):  # rucio draws a frame
            yield text if text.startswith(LOGICAL) else absolute(text, path.parent)


def _fileset(path: Path, name: str) -> list[str]:
    """Return the files of one dataset of a coffea fileset: a list, a mapping to trees, or ``{"files": either}``."""
    try:
        datasets: Any = json.loads(_text(path))
    except ValueError as error:
        msg = f"{path}: not JSON: {error}"
        raise ConfigError(msg) from error
    if not isinstance(datasets, dict) or not datasets:
        msg = f"{path}: expected a fileset, a mapping of dataset names to files"
        raise ConfigError(msg)
    if not name and len(datasets) == 1:
        [name] = datasets
    if name not in datasets:
        msg = f"{path}: no dataset {name!r}; there are {', '.join(datasets)}: choose one with {path.name}#NAME"
        raise ConfigError(msg)
    files = datasets[name]
    files = files.get("files", files) if isinstance(files, dict) else files
    entries = list(files) if isinstance(files, dict | list) else []
    if not all(isinstance(entry, str) for entry in entries):
        msg = f"{path}: {name}: expected a list of files, or a mapping of files to trees"
        raise ConfigError(msg)
    return _some(f"{path}#{name}", "no file is listed", expand(entries, path.parent))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise ConfigError(msg) from error


def candidates(path: str, redirectors: tuple[str, ...]) -> list[str]:
    """Return where to look for a file, in order: a logical name at each of the redirectors."""
    if not path.startswith(LOGICAL) or not redirectors:
        return [path]
    return [f"{redirector.rstrip('/')}/{path}" for redirector in redirectors]
