"""Reads the policy file: TOML text becomes a policy, or an error of one line."""

import tomllib
from collections.abc import Mapping
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from domain.policy import OfficePolicy, Policy, Span


class PolicyError(ValueError):
    """A policy that cannot be used: one line with section.key, what was found, what is expected."""


def load_policy(text: str) -> Policy:
    """The policy that a TOML text describes; a missing key has its standard value.

    The keys: docs/contract.md, "The policy file".
    Raises `PolicyError` with one line on the first mistake.
    """
    try:
        policy = Policy.model_validate(tomllib.loads(text), extra="forbid")
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(f"policy: expected TOML: {error}") from error
    except ValidationError as error:
        raise PolicyError(_describe(error.errors()[0])) from error
    _check_timezone(policy.office.timezone)
    return policy


def _check_timezone(name: str) -> None:
    """Check a file that is loaded. A pinned policy is not checked: it must stay readable with any tzdata."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        expected = OfficePolicy.model_fields["timezone"].description
        raise PolicyError(f"office.timezone: found {_shown(name)}, expected {expected}") from error


def _describe(error: ErrorDetails) -> str:
    """One line for a validation error, in the terms of the file."""
    *sections, key = path = [part for part in error["loc"] if part != "[key]"]
    fields: Mapping[str, Any] = Policy.model_fields
    for section in sections:
        model = fields[str(section)].annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            key = section
            break
        fields = model.model_fields
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)[1:]
    if error["type"] == "extra_forbidden":
        noun = "key" if sections else "section"
        return f"{where}: found an unknown {noun}, expected one of {', '.join(fields)}"
    if error["type"] == "value_error":
        expected = str(error["ctx"]["error"])
    else:
        expected = f"expected {fields[str(key)].description}"
    return f"{where}: found {_shown(error['input'])}, {expected}"


def _shown(value: object) -> str:
    """A value of the file, short and on one line."""
    if isinstance(value, time):
        value = f"{value:%H:%M:%S}" if value.second else f"{value:%H:%M}"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, bool):
        return str(value).lower()
    quote = '"' if isinstance(value, (str, Span)) else ""
    # repr keeps control characters of the file off the reader's terminal.
    text = f"{quote}{repr(str(value))[1:-1]}{quote}"
    return text if len(text) <= 60 else text[:57] + "..."
