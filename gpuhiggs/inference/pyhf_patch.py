"""Patches of pyhf workspaces: JSON patches (RFC 6902), and pyhf's patch sets of them by name."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from gpuhiggs.errors import InputError


def patched(spec: Mapping[str, Any], patch: Any, name: str | None = None) -> dict[str, Any]:
    """Return a workspace with a patch applied.

    Parameters
    ----------
    patch
        A list of operations, or a patch set, of which `name` chooses one.

    Raises
    ------
    InputError
        The patch set has no such patch or is of another workspace, or an operation does not fit the workspace.
    """
    operations = patch
    if isinstance(patch, Mapping):
        try:
            known = {item["metadata"]["name"]: item["patch"] for item in patch["patches"]}
            digests = dict(patch["metadata"]["digests"])
        except (KeyError, TypeError, ValueError) as error:
            msg = f"not a patch set: {error} is missing or of another kind"
            raise InputError(msg) from error
        if name not in known:
            msg = f"no patch {name!r}; known: {', '.join(known)}"
            raise InputError(msg)
        _verify(spec, digests)
        operations = known[name]
    if not isinstance(operations, list) or not all(isinstance(one, Mapping) for one in operations):
        msg = "not a JSON patch: expected a list of operations"
        raise InputError(msg)
    document = copy.deepcopy(dict(spec))
    for number, operation in enumerate(operations):
        try:
            document = _apply(document, operation)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            msg = f"patch, operation {number} ({operation.get('op')} {operation.get('path')}): {error}"
            raise InputError(msg) from error
    return document


def _verify(spec: Mapping[str, Any], digests: Mapping[str, str]) -> None:
    """Refuse a patch set that is of another workspace, by the digests of it that the set carries (as in pyhf)."""
    content = json.dumps(spec, sort_keys=True, ensure_ascii=False).encode()
    for algorithm, wanted in digests.items():
        if algorithm in ("md5", "sha256") and hashlib.new(algorithm, content).hexdigest() != wanted:
            msg = f"the patch set is of another workspace: its {algorithm} is not {wanted}"
            raise InputError(msg)


def _apply(document: Any, operation: Mapping[str, Any]) -> Any:
    kind, path = operation["op"], _parts(operation["path"])
    if kind == "test":
        if _get(document, path) != operation["value"]:
            msg = "the test failed"
            raise ValueError(msg)
        return document
    if kind in ("move", "copy"):
        source = _parts(operation["from"])
        value = copy.deepcopy(_get(document, source))
        if kind == "move":
            document = _remove(document, source)
    elif kind in ("add", "replace"):
        value = operation["value"]
        if kind == "replace":
            _get(document, path)
    elif kind == "remove":
        return _remove(document, path)
    else:
        msg = f"unknown operation {kind!r}"
        raise ValueError(msg)
    return _set(document, path, value, insert=kind != "replace")


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _get(document: Any, path: Sequence[str]) -> Any:
    for part in path:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def _remove(document: Any, path: Sequence[str]) -> Any:
    parent = _get(document, path[:-1])
    del parent[int(path[-1]) if isinstance(parent, list) else path[-1]]
    return document


def _set(document: Any, path: Sequence[str], value: Any, *, insert: bool) -> Any:
    if not path:
        return value
    parent = _get(document, path[:-1])
    if not isinstance(parent, list):
        parent[path[-1]] = value
    elif path[-1] == "-":
        parent.append(value)
    elif insert:
        parent.insert(int(path[-1]), value)
    else:
        parent[int(path[-1])] = value
    return document
