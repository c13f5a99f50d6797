"""Reads the JSON files of operations into values of the domain."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

T = TypeVar("T", bound=BaseModel)


class UnusableFile(Exception):
    """A file cannot be used; the text names the file, the place and the reason, in one line."""


def read_items(path: Path, model: type[T]) -> list[T]:
    """The items of a JSON file that holds one item or a list of them. Unknown fields raise an error at any depth.

    Raises:
        UnusableFile: the file does not exist or is not JSON, or an item is not valid for `model`.
    """
    items = []
    for number, raw in enumerate(_read_json(path), start=1):
        try:
            items.append(model.model_validate(raw, extra="forbid"))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "item"
            raise UnusableFile(f"{path}: item {number}: {field}: {first['msg']}") from error
    return items


def _read_json(path: Path) -> list[Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableFile(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    except json.JSONDecodeError as error:
        raise UnusableFile(f"{path}: line {error.lineno}: not JSON: {error.msg}") from error
    return content if isinstance(content, list) else [content]
