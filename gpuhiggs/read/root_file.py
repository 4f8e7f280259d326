"""ROOT files: the tree of events in them, as TTree or RNTuple."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import awkward as ak
import numpy as np
import uproot

from ..errors import FileError, SchemaError
from .ntuple import NtupleTable
from .source import Source
from .table import Table
from .ttree import TreeTable

_TREES: dict[str, type[TreeTable] | type[NtupleTable]] = {"TTree": TreeTable, "ROOT::RNTuple": NtupleTable}


_KNOWN = {model: dict(model.known_versions) for model in uproot.classes.values() if hasattr(model, "known_versions")}


def _forget_models() -> None:
    """Take back what uproot has learned of ROOT's own classes from the files that it has met.

    It learns from a file that says it has a version of TBranch that uproot does not know, and then reads every later
    file of the process by that: a damaged file is not to decide about the next one.
    """
    for model, versions in _KNOWN.items():
        model.known_versions.update(versions)


class RootFile:
    """An open ROOT file."""

    def __init__(self, source: Source) -> None:
        self.path, self.source = source.path, source
        _forget_models()
        # As a mapping, a colon in the path is no separator; nothing is read twice, so no cache is kept.
        self.directory: Any = uproot.open({source.file(): None}, object_cache=None, array_cache=None)
        self.uuid = str(self.directory.file.uuid)
        expected = int(self.directory.file.fEND)
        if self.source.size < expected:  # what is at the end is not always read on opening
            self.directory.close()
            msg = f"{self.path}: truncated: {self.source.size} of {expected} bytes"
            raise FileError(msg)

    def table(self, trees: tuple[str, ...]) -> Table:
        """Return the first of some trees that the file has.

        Raises
        ------
        SchemaError
            If it has none of them, or something else of this name.
        """
        classes = {name.split(";")[0]: kind for name, kind in self.directory.classnames(recursive=False).items()}
        name = next((name for name in trees if name in classes), None)
        if name is None:
            looked_for = " or ".join(map(repr, trees))
            msg = f"{self.path}: no tree {looked_for}; the file has: {', '.join(sorted(classes)) or 'nothing'}"
            raise SchemaError(msg)
        if classes[name] not in _TREES:
            msg = f"{self.path}: {name!r} is a {classes[name]}, expected {' or '.join(_TREES)}"
            raise SchemaError(msg)
        return _TREES[classes[name]](self, name)

    def tree(self, name: str) -> Any:
        """Return a tree as uproot reads it."""
        _forget_models()
        return self.directory[name]

    def sums(self, tree: str, names: Sequence[str]) -> float | None:
        """Return the sum of the first of some branches in a tree; None: it has none of them."""
        if tree not in {key.split(";")[0] for key in self.directory.keys(recursive=False)}:
            return None
        found = self.tree(tree)
        branch = next((name for name in names if name in found.keys()), None)  # noqa: SIM118
        return None if branch is None else float(np.sum(ak.to_numpy(found[branch].array()), dtype=np.float64))

    def averages(self, tree: str, names: Sequence[str], branch: str) -> tuple[float, ...] | None:
        """Return the averages of a branch with several values an entry, weighted by the first of *names*."""
        if tree not in {key.split(";")[0] for key in self.directory.keys(recursive=False)}:
            return None
        found = self.tree(tree)
        weight = next((name for name in names if name in found.keys()), None)  # noqa: SIM118
        if weight is None or branch not in found.keys():  # noqa: SIM118
            return None
        values, weights = found[branch].array(), ak.to_numpy(found[weight].array())
        sizes = ak.to_numpy(ak.num(values))
        if sizes.size == 0 or (sizes != sizes[0]).any():
            return None
        average = np.average(ak.to_numpy(values), axis=0, weights=weights)
        return tuple(map(float, average))

    def sections(self, tree: str) -> list[list[int]] | None:
        """Return (run, luminosity section) for each entry of a tree; None: it is not there."""
        if tree not in {key.split(";")[0] for key in self.directory.keys(recursive=False)}:
            return None
        found = self.tree(tree)
        pairs = [ak.to_numpy(found[name].array()).astype(np.int64) for name in ("run", "luminosityBlock")]
        return np.stack(pairs, axis=1).tolist()  # type: ignore[no-any-return]

    @property
    def closed(self) -> bool:
        """Whether the file has been closed."""
        return bool(self.directory.closed)

    def close(self) -> None:
        """Close the file."""
        self.directory.close()
        self.source.close()


def open_root(source: Source, trees: tuple[str, ...]) -> Table:
    """Open a ROOT file and its tree."""
    file = RootFile(source)
    try:
        return file.table(trees)
    except Exception:
        file.close()
        raise
