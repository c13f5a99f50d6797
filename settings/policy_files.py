"""Reads the policy files that settings name."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from domain.fields import Identifier
from domain.policy import Policy
from domain.policy_file import load_policy

PREFIX = "CMI_"
_NAME: TypeAdapter[str] = TypeAdapter(Identifier)


class SettingsError(ValueError):
    """The environment is wrong. Its text is one line that names the variable and says what is expected."""


def read_policy(setting: str, path: Path) -> Policy:
    """The policy in a file, which the variable `CMI_` + `setting` names. Raises `SettingsError`."""
    try:
        return load_policy(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{PREFIX}{setting}: {path}: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"{PREFIX}{setting}: {path}: {error}") from None


def read_folder(setting: str, folder: Path | None) -> dict[str, Policy]:
    """The policies in a folder, by the names of their files. Raises `SettingsError`."""
    if folder is None:
        return {}
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml")
    except OSError as error:
        raise SettingsError(f"{PREFIX}{setting}: {folder}: {error.strerror}") from None
    for path in paths:
        try:
            _NAME.validate_python(path.stem)
        except ValidationError:
            raise SettingsError(
                f"{PREFIX}{setting}: {path}: the name of a policy has letters, digits and . _ - only, 64 at most"
            ) from None
    return {path.stem: read_policy(setting, path) for path in paths}
