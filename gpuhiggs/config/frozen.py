"""What YAML is read into: frozen models that refuse what they do not know, with errors that say where and what is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import ConfigError, choices

M = TypeVar("M", bound=BaseModel)


class Model(BaseModel):
    """Base of all models: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, ser_json_inf_nan="constants")


def validate(model: type[M], raw: Mapping[str, Any], place: str) -> M:
    """Build a model, with errors that say where and what is known."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        # A list whose entries are all wrong is reported as too short as well.
        found = error.errors()
        errors = [entry for entry in found if entry["type"] != "too_short" or not entry["input"]] or found
        raise ConfigError("\n".join(_explain(model, entry, place) for entry in errors)) from error


def _explain(model: type[BaseModel], error: Any, place: str) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        key = error["loc"][-1]
        inner = _model_at(model, error["loc"][:-1])
        known = [info.alias or name for name, info in inner.model_fields.items()] if inner else []
        section = ".".join(str(part) for part in error["loc"][:-1])
        return f"{place}: unknown key {key!r}" + (f" in {section}" if section else "") + f"; {choices(key, known)}"
    message = error["msg"].removeprefix("Value error, ")
    given = "" if error["type"] in ("missing", "value_error") else f", got {error['input']!r}"
    return f"{place}: {where}: {message}{given}" if where else f"{place}: {message}{given}"


def _model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """Follow an error's location to the model that refused the key."""
    found: Any = model
    for part in location:
        if isinstance(found, type) and issubclass(found, BaseModel):
            names = {info.alias or name: info.annotation for name, info in found.model_fields.items()}
            found = names.get(str(part))
        else:  # a place in a list, or the key of a mapping
            found = next((hint for hint in get_args(found) if isinstance(hint, type) and hint is not str), None)
        if isinstance(found, UnionType):
            found = next(hint for hint in get_args(found) if hint is not NoneType)
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


class _NoRepeats(yaml.SafeLoader):
    """YAML in which a key given twice is an error; YAML itself keeps the last and says nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                problem = f"the key {key!r} is given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping of keys, or raise ConfigError; a key that stands twice is an error."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_NoRepeats)
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise ConfigError(msg) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        msg = f"{path}: not YAML: {error}"
        raise ConfigError(msg) from error
    if not isinstance(raw, dict):
        msg = f"{path}: expected a mapping of keys, got {type(raw).__name__}"
        raise ConfigError(msg)
    return raw
