"""NanoAOD-like files: collections of objects, and the trees Events, Runs and LuminosityBlocks that hold them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray
from uproot.writing._cascadetree import Tree

from gpuhiggs.errors import FileError, RunError
from gpuhiggs.simulate.particles import Bools, Ints

_COMPRESSION = uproot.ZSTD(1)  # twice as fast as uproot's default for files of the same size
_RECIPE = "gpuhiggs_recipe"  # name of the string in a file that says how it was made


@dataclass(frozen=True)
class Collection:
    """Objects of one kind in a block of events: ``fields["pt"]`` becomes the branch ``Muon_pt``.

    ``event`` is the event of each object, never falling; all fields have its length.
    """

    n_events: int
    event: Ints
    fields: dict[str, NDArray[Any]]

    @classmethod
    def ordered(cls, n_events: int, event: Ints, fields: dict[str, NDArray[Any]], kept: Bools) -> Collection:
        """Keep some of the objects, those of an event by falling pt, as NanoAOD orders them."""
        chosen = np.flatnonzero(kept)
        chosen = chosen[np.lexsort((-fields["pt"][chosen], event[chosen]))]
        return cls(n_events, event[chosen], {name: values[chosen] for name, values in fields.items()})

    def __len__(self) -> int:
        return len(self.event)

    def __getitem__(self, field: str) -> NDArray[Any]:
        return self.fields[field]

    @cached_property
    def offsets(self) -> Ints:
        """Where each event begins, shape (events + 1,)."""
        return np.searchsorted(self.event, np.arange(self.n_events + 1))

    def with_field(self, name: str, values: NDArray[Any]) -> Collection:
        """Return the collection with one more field."""
        return Collection(self.n_events, self.event, {**self.fields, name: values})


Format = Literal["ttree", "rntuple"]

Events = dict[str, NDArray[Any] | Collection]
"""Events as columns: an array for each event variable, a :class:`Collection` for each kind of object."""


class EventWriter:
    """Writes blocks of events to the trees, or the ntuples, of an open file."""

    def __init__(self, file: Any, format: Format = "ttree") -> None:
        self._file = file
        self._format = format
        self._tree: Any = None
        self._sections: list[dict[str, NDArray[Any]]] = []

    def extend(self, events: Events) -> None:
        """Append a block; reals are stored as float32, everything else as it is."""
        columns = {name: _storable(column) for name, column in events.items()}
        if self._format == "rntuple":
            self._extend_ntuple(columns)
        else:
            self._extend_tree(columns)
        self._sections.append({name: ak.to_numpy(columns[name]) for name in _SECTION if name in columns})

    def _extend_tree(self, columns: dict[str, ak.Array]) -> None:
        if self._tree is None:
            types = {name: column.type.content for name, column in columns.items()}
            with _unsigned_counters():
                self._tree = self._file.mktree(
                    "Events", types, title="Events", counter_name=_counter, field_name=_branch
                )
        self._tree.extend(columns)

    def _extend_ntuple(self, columns: dict[str, ak.Array]) -> None:
        flat = {}
        for name, column in columns.items():
            if column.ndim > 1:
                flat[_counter(name)] = ak.values_astype(ak.num(column), np.uint32)
            fields = {_branch(name, f): column[f] for f in column.fields} if column.fields else {name: column}
            flat.update({field: ak.to_packed(values) for field, values in fields.items()})
        if self._tree is None:
            self._tree = self._file.mkrntuple("Events", flat)
        else:
            self._tree.extend(flat)

    def finish(self) -> None:
        """Write Runs, with the sums of weights of simulated events, and LuminosityBlocks."""
        section = {name: np.concatenate([s[name] for s in self._sections]) for name in self._sections[0]}
        runs, place = np.unique(section["run"], return_inverse=True)
        sums: dict[str, NDArray[Any]] = {"run": runs}
        if "genWeight" in section:
            weight = section["genWeight"].astype(np.float64)
            sums["genEventCount"] = np.bincount(place, minlength=len(runs)).astype(np.int64)
            sums["genEventSumw"] = np.bincount(place, weights=weight, minlength=len(runs))
            sums["genEventSumw2"] = np.bincount(place, weights=weight**2, minlength=len(runs))
        self._write_tree("Runs", sums)
        blocks = np.unique(np.stack([section["run"], section["luminosityBlock"]]), axis=1)
        self._write_tree("LuminosityBlocks", {"run": blocks[0], "luminosityBlock": blocks[1]})

    def _write_tree(self, name: str, columns: dict[str, NDArray[Any]]) -> None:
        if self._format == "rntuple":
            self._file.mkrntuple(name, columns)
            return
        tree = self._file.mktree(name, {branch: values.dtype for branch, values in columns.items()}, title=name)
        tree.extend(columns)


@contextmanager
def writing(
    path: Path, recipe: str | None = None, format: Format = "ttree", identity: str | None = None
) -> Iterator[EventWriter]:
    """Give a writer of a new file, which appears as *path* when the block ends without an error.

    Parameters
    ----------
    path
        The file; one that exists is replaced.
    recipe
        Kept in the file, for :func:`read_recipe`.
    format
        ``ttree`` or ``rntuple``.
    identity
        What decides about the events: files that share it have one unique identifier (UUID), by which a classifier
        knows what it was trained on. By default every file has its own.

    Raises
    ------
    FileError, RunError
        As :func:`replacing`.
    """
    unique = {} if identity is None else {"uuid_function": lambda: uuid.uuid5(uuid.NAMESPACE_URL, identity)}
    with replacing(path) as temporary, uproot.recreate(temporary, compression=_COMPRESSION, **unique) as file:
        writer = EventWriter(file, format)
        yield writer
        writer.finish()
        if recipe is not None:
            file[_RECIPE] = recipe


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside *path*, renamed to it at the end; after an error nothing is left.

    Raises
    ------
    FileError
        If the folder of *path* does not exist or may not be written to.
    RunError
        If writing fails for another reason, such as a full disk.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.touch()  # fails at once where the folder is wrong, and uproot would make an absent one
        yield temporary
        os.replace(temporary, path)
    except (PermissionError, FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        msg = f"cannot create {path}: {error.strerror}"
        raise FileError(msg) from error
    except OSError as error:
        msg = f"writing {path} failed, nothing is kept of it: {error}"
        raise RunError(msg) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def read_recipe(path: Path) -> str | None:
    """Return how a complete simulated file was made, None for a file that is absent, broken or of another origin."""
    try:
        with uproot.open(path) as file:
            return str(file[_RECIPE])
    except Exception:  # uproot raises many kinds of error on a broken file
        return None


_SECTION = ("run", "luminosityBlock", "genWeight")


def _storable(column: NDArray[Any] | Collection) -> ak.Array:
    """Return the column as an Awkward array with the types of the file."""
    if not isinstance(column, Collection):
        return ak.Array(_narrow(column))
    fields = {name: _narrow(values) for name, values in column.fields.items()}
    if list(fields) == [""]:
        return ak.unflatten(fields[""], np.diff(column.offsets))
    return ak.unflatten(ak.zip(fields), np.diff(column.offsets))


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.float32) if values.dtype == np.float64 else values


@contextmanager
def _unsigned_counters() -> Iterator[None]:
    """Let uproot make counters unsigned, as NanoAOD's are; it has no switch for that."""
    branch = Tree._branch_np

    def unsigned(self: Any, name: str, kind_: Any, dtype: Any, counter: Any = None, kind: str = "normal") -> Any:
        return branch(self, name, kind_, np.dtype(np.uint32) if kind == "counter" else dtype, counter, kind)

    Tree._branch_np = unsigned
    try:
        yield
    finally:
        Tree._branch_np = branch


def _counter(collection: str) -> str:
    return f"n{collection}"


def _branch(collection: str, field: str) -> str:
    return f"{collection}_{field}" if collection else field
